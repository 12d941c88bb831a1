"""Every loss and weight equals what its authors' public code computes."""

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
import pytest

from components.imbalance.class_balanced import class_balanced_weights
from components.imbalance.denseweight import dense_weights, density_bandwidth
from components.imbalance.lds import lds_kernel, lds_weights
from components.imbalance.losses.balanced_mse import BalancedMSE
from components.imbalance.losses.focal import Focal
from components.imbalance.losses.ldam import LDAM, ldam_margins
from components.imbalance.losses.lmf import LMF
from components.imbalance.losses.logit_adjusted import LogitAdjusted

FLOAT32 = {"rtol": 1e-5, "atol": 1e-6}
"""The reference losses were computed in float32."""


def per_face(loss: Any, reference: dict[str, Any]) -> np.ndarray:
    loss.reduction = None
    return np.asarray(loss(np.asarray(reference["ldam"]["labels"])[:, None], np.asarray(reference["ldam"]["logits"])))


@pytest.mark.parametrize("case", range(8))
def test_denseweight(reference: dict[str, Any], case: int, assert_close: Callable[..., None]) -> None:
    expected = reference["denseweight"]["cases"][case]
    targets = np.asarray(reference["denseweight"]["ages"], np.float64)
    targets = np.log(targets) if expected["space"] == "log" else targets
    weights = dense_weights(targets, expected["alpha"])
    by_target = dict(zip(targets.round(9), weights, strict=True))
    assert density_bandwidth(targets) == pytest.approx(expected["bandwidth"], rel=1e-12)
    assert_close(
        [*(by_target[query] for query in np.round(expected["query"], 9)), weights.min(), weights.max()],
        [*expected["weights_at_query"], expected["min"], expected["max"]],
        rtol=1e-9,
    )


@pytest.mark.parametrize("case", range(4))
def test_ldam(reference: dict[str, Any], case: int, assert_close: Callable[..., None]) -> None:
    expected = reference["ldam"]["cases"][case]
    loss = LDAM(reference["ldam"]["class_counts"], max_margin=expected["max_m"], scale=expected["s"])
    losses = per_face(loss, reference)
    assert_close(
        [*loss.margins, *losses, losses.mean()],
        [*expected["margins"], *expected["per_sample"], expected["mean"]],
        **FLOAT32,
    )


@pytest.mark.parametrize("case", range(4))
def test_focal(reference: dict[str, Any], case: int, assert_close: Callable[..., None]) -> None:
    expected = reference["focal"]["cases"][case]
    losses = per_face(Focal(expected["gamma"]), reference)
    assert_close([*losses, losses.mean()], [*expected["per_sample"], expected["mean"]], **FLOAT32)


def test_lmf_with_the_decks_coefficients(reference: dict[str, Any], assert_close: Callable[..., None]) -> None:
    losses = per_face(LMF(reference["ldam"]["class_counts"]), reference)
    assert_close(losses, reference["lmf_poc"]["per_sample"], **FLOAT32)


def test_lmf_margins_as_class_weights(reference: dict[str, Any], assert_close: Callable[..., None]) -> None:
    margins = ldam_margins(reference["ldam"]["class_counts"])
    assert_close(margins, reference["lmf_official_ldam_part"]["m_list"], rtol=1e-6)


def test_class_weighted_lmf_has_the_ldam_part_of_the_authors_code(
    reference: dict[str, Any], assert_close: Callable[..., None]
) -> None:
    loss = LMF(reference["ldam"]["class_counts"], alpha=1.0, beta=0.0, scale=30.0, class_weighted=True)
    value = loss(reference["ldam"]["labels"], reference["ldam"]["logits"])
    assert_close(float(value), reference["lmf_official_ldam_part"]["batch_value"], **FLOAT32)


def test_class_weighted_lmf_has_the_plain_mean_of_weighted_focal_losses(
    reference: dict[str, Any], assert_close: Callable[..., None]
) -> None:
    loss = LMF(reference["ldam"]["class_counts"], alpha=0.0, beta=1.0, gamma=4.0, class_weighted=True)
    weights = np.asarray(reference["lmf_official_ldam_part"]["m_list"])[reference["ldam"]["labels"]]
    focal = next(case for case in reference["focal"]["cases"] if case["gamma"] == 4)["per_sample"]
    value = loss(reference["ldam"]["labels"], reference["ldam"]["logits"])
    assert_close(float(value), np.mean(weights * focal), **FLOAT32)


@pytest.mark.parametrize("case", range(4))
def test_logit_adjusted(reference: dict[str, Any], case: int, assert_close: Callable[..., None]) -> None:
    expected = reference["logit_adjusted"]["cases"][case]
    priors = np.asarray(reference["ldam"]["class_counts"]) / np.sum(reference["ldam"]["class_counts"])
    assert_close(per_face(LogitAdjusted(priors, tau=expected["tau"]), reference), expected["per_sample"], **FLOAT32)


@pytest.mark.parametrize("case", range(3))
def test_balanced_mse(reference: dict[str, Any], case: int, assert_close: Callable[..., None]) -> None:
    expected = reference["balanced_mse_bmc"]["cases"][case]
    targets, predictions = reference["balanced_mse_bmc"]["target"], reference["balanced_mse_bmc"]["pred"]
    value = BalancedMSE(expected["noise_sigma"])(np.reshape(targets, (-1, 1)), np.reshape(predictions, (-1, 1)))
    assert_close(float(value), expected["value"], **FLOAT32)


@pytest.mark.parametrize("case", range(4))
def test_lds(reference: dict[str, Any], case: int, assert_close: Callable[..., None]) -> None:
    expected = reference["lds"]["cases"][case]
    names: dict[str, Literal["sqrt_inverse", "inverse"]] = {"sqrt_inv": "sqrt_inverse", "inverse": "inverse"}
    kernel = lds_kernel(5, 2.0) if expected["lds"] else None
    weights = lds_weights(reference["denseweight"]["ages"], names[expected["reweight"]], kernel)
    assert_close(weights[: len(expected["weights"])], expected["weights"], rtol=1e-6)


def test_lds_kernel(reference: dict[str, Any], assert_close: Callable[..., None]) -> None:
    assert_close(lds_kernel(5, 2.0), reference["lds"]["kernel"], rtol=1e-12)


def test_class_balanced_weights(reference: dict[str, Any], assert_close: Callable[..., None]) -> None:
    weights = class_balanced_weights(reference["ldam"]["class_counts"], reference["class_balanced"]["beta"])
    assert_close(weights, reference["class_balanced"]["weights"], rtol=1e-12)
