"""Losses and weights where the answer is known on paper, or by a second way of computing it."""

import math
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import log_softmax
from scipy.stats import gaussian_kde

from components.errors import DataError
from components.imbalance.class_balanced import class_balanced_weights
from components.imbalance.denseweight import dense_weights, density_bandwidth
from components.imbalance.lds import lds_kernel, lds_weights
from components.imbalance.losses.balanced_mse import BalancedMSE
from components.imbalance.losses.focal import Focal
from components.imbalance.losses.ldam import LDAM, ldam_margins
from components.imbalance.losses.lmf import LMF
from components.imbalance.losses.logit_adjusted import LogitAdjusted
from components.imbalance.losses.vs import VS

COUNTS = [7520, 3407, 533, 2968]
GENERATOR = np.random.default_rng(3)
LOGITS = GENERATOR.normal(0, 3, (64, 4))
CLASSES = GENERATOR.integers(0, 4, 64)
AGES = np.clip(np.random.default_rng(4).normal(33, 18, 1500).round(), 1, 80)


def per_face(loss: Any, logits: np.ndarray = LOGITS) -> np.ndarray:
    loss.reduction = None
    return np.asarray(loss(CLASSES[:, None], logits), np.float64)


def cross_entropy(logits: np.ndarray = LOGITS) -> np.ndarray:
    return np.asarray(-log_softmax(logits, axis=1)[np.arange(64), CLASSES], np.float64)


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_ldam_of_zero_logits_is_the_log_of_one_plus_the_shifted_others(scale: float) -> None:
    loss = LDAM(COUNTS, max_margin=0.5, scale=scale)
    expected = math.log(1 + 3 * math.exp(scale * 0.5))
    assert float(loss([[2]], [[0.0, 0.0, 0.0, 0.0]])) == pytest.approx(expected, rel=1e-6)


def test_the_rarest_class_has_the_largest_margin_and_margins_follow_the_fourth_root() -> None:
    margins = ldam_margins([16, 81, 1], max_margin=0.6)
    np.testing.assert_allclose(margins, [0.3, 0.2, 0.6])


def test_ldam_without_margin_at_scale_one_is_cross_entropy() -> None:
    np.testing.assert_allclose(per_face(LDAM(COUNTS, max_margin=0.0)), cross_entropy(), rtol=2e-6)


def test_focal_of_gamma_zero_is_cross_entropy() -> None:
    np.testing.assert_allclose(per_face(Focal(0.0)), cross_entropy(), rtol=2e-6)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 2.0, 4.0])
def test_focal_equals_its_definition_in_double_precision(gamma: float) -> None:
    negative_log = cross_entropy()
    expected = (-np.expm1(-negative_log)) ** gamma * negative_log
    np.testing.assert_allclose(per_face(Focal(gamma)), expected, rtol=1e-5, atol=1e-12)


@pytest.mark.parametrize("gamma", [1.5, 4.0])
def test_focal_of_equal_logits(gamma: float) -> None:
    expected = 0.75**gamma * math.log(4)
    assert float(Focal(gamma)([0], [[0.0, 0.0, 0.0, 0.0]])) == pytest.approx(expected, rel=1e-6)


def test_focal_equals_keras_published_example() -> None:
    loss = Focal(gamma=2.0, class_weights=[0.25, 0.25, 0.25])
    loss.reduction = None
    logits = np.log([[0.05, 0.9, 0.05], [0.1, 0.85, 0.05]])
    np.testing.assert_allclose(loss([1, 2], logits), [2.63401289e-04, 6.75912094e-01], rtol=1e-5)


def test_lmf_of_two_and_a_half_and_no_focal_part_is_scaled_ldam() -> None:
    np.testing.assert_allclose(per_face(LMF(COUNTS, beta=0.0)), 2.5 * per_face(LDAM(COUNTS)), rtol=1e-6)


def test_logit_adjustment_of_tau_zero_is_cross_entropy() -> None:
    np.testing.assert_allclose(per_face(LogitAdjusted(COUNTS, tau=0.0)), cross_entropy(), rtol=2e-6)


def test_logit_adjustment_of_zero_logits_is_minus_the_log_of_the_prior() -> None:
    priors = np.divide(COUNTS, sum(COUNTS))
    losses = per_face(LogitAdjusted(priors.tolist()), np.zeros((64, 4)))
    np.testing.assert_allclose(losses, -np.log(priors)[CLASSES], rtol=1e-6)


def test_counts_and_priors_adjust_alike_as_a_constant_on_the_log_prior_changes_nothing() -> None:
    priors = np.divide(COUNTS, sum(COUNTS)).tolist()
    np.testing.assert_allclose(per_face(LogitAdjusted(COUNTS)), per_face(LogitAdjusted(priors)), rtol=1e-5)


@pytest.mark.parametrize(("gamma", "tau"), [(0.15, 1.25), (0.3, 1.0), (0.5, 0.0)])
def test_vs_equals_its_definition_in_double_precision(
    gamma: float, tau: float, assert_close: Any, value_and_gradient: Any
) -> None:
    """Value and gradient, from the formulas of Kini et al. 2021."""
    counts = np.asarray(COUNTS, np.float64)
    factor, offset = (counts / 7520) ** gamma, tau * np.log(counts / counts.sum())
    scaled = LOGITS * factor + offset
    assert_close(per_face(VS(COUNTS, gamma=gamma, tau=tau)), cross_entropy(scaled), rtol=1e-5, atol=1e-6)
    _, gradient = value_and_gradient(
        lambda logits: VS(COUNTS, gamma=gamma, tau=tau)(CLASSES, logits), LOGITS, "float32"
    )
    expected = factor * (np.exp(log_softmax(scaled, axis=1)) - np.eye(4)[CLASSES]) / 64
    assert_close(gradient, expected, rtol=2e-5, atol=1e-7)


def test_vs_without_factors_is_logit_adjustment() -> None:
    expected = per_face(LogitAdjusted(COUNTS, tau=1.5))
    np.testing.assert_allclose(per_face(VS(COUNTS, gamma=0.0, tau=1.5)), expected, rtol=2e-6)


@pytest.mark.parametrize("loss", [LDAM([5, 9], max_margin=0.0), Focal(0.0), LogitAdjusted([5, 9], tau=0.0)])
def test_one_logit_is_a_binary_output(loss: Any) -> None:
    plain = keras.losses.BinaryCrossentropy(from_logits=True)
    labels, logits = CLASSES[:, None] % 2, LOGITS[:, :1]
    assert float(loss(labels, logits)) == pytest.approx(float(plain(labels, logits)), rel=1e-5)


@pytest.mark.parametrize("sigma", [0.1, 1.0, 8.0])
@pytest.mark.parametrize("batch", [1, 7])
def test_balanced_mse_of_equal_targets_is_twice_the_variance_times_the_log_of_the_batch(
    sigma: float, batch: int
) -> None:
    value = BalancedMSE(sigma)(np.full((batch, 1), 3.0), np.linspace(0, 4, batch)[:, None])
    assert float(value) == pytest.approx(2 * sigma**2 * math.log(batch), rel=1e-5, abs=1e-7)


def test_balanced_mse_equals_its_definition_in_double_precision() -> None:
    targets, predictions, sigma = AGES[:40], AGES[40:80] + 0.5, 4.0
    logits = -((predictions[:, None] - targets) ** 2) / (2 * sigma**2)
    expected = -2 * sigma**2 * np.diag(log_softmax(logits, axis=1))
    loss = BalancedMSE(sigma, reduction=None)
    np.testing.assert_allclose(loss(targets[:, None], predictions[:, None]), expected, rtol=1e-5, atol=1e-3)


def test_denseweight_of_alpha_zero_is_one() -> None:
    np.testing.assert_array_equal(dense_weights(AGES, alpha=0.0), np.ones(len(AGES)))


@pytest.mark.parametrize("alpha", [0.25, 0.5, 0.9])
def test_denseweight_has_mean_one_and_a_bounded_ratio(alpha: float) -> None:
    weights = dense_weights(AGES, alpha)
    assert weights.mean() == pytest.approx(1)
    assert 1 < weights.max() / weights.min() <= 1 / (1 - alpha)


def test_denseweight_above_one_floors_the_most_common_ages() -> None:
    weights = dense_weights(AGES, alpha=2.0)
    assert weights.mean() == pytest.approx(1)
    assert 0 < weights.min() < 1e-4
    assert (weights == weights.min()).mean() > 0.5


def test_denseweight_is_close_to_scipys_density() -> None:
    deviation = AGES.std(ddof=1)
    density = gaussian_kde(AGES, bw_method=density_bandwidth(AGES) / deviation)
    scaled = density(AGES) / density(np.linspace(AGES.min() - 30, AGES.max() + 30, 20_000)).max()
    expected = (1 - scaled) / (1 - scaled).mean()
    np.testing.assert_allclose(dense_weights(AGES, alpha=1.0), expected, atol=0.01)


def test_denseweight_counts_draws_like_copies() -> None:
    copies = np.repeat([3.0, 20.0, 25.0, 61.0], [1, 4, 6, 2])
    by_draws = dense_weights([3.0, 20.0, 25.0, 61.0], alpha=0.5, draws=[1, 4, 6, 2])
    np.testing.assert_allclose(np.repeat(by_draws, [1, 4, 6, 2]), dense_weights(copies, alpha=0.5))


def test_denseweight_of_one_age_says_that_there_is_no_density() -> None:
    with pytest.raises(DataError, match="'denseweight' can't estimate a density"):
        dense_weights([30.0, 30.0])


def test_lds_without_window_is_the_inverse_root_of_the_counts() -> None:
    weights = lds_weights([20, 20, 20, 20, 70])
    np.testing.assert_allclose(weights / weights[0], [1, 1, 1, 1, 2])
    assert weights.mean() == pytest.approx(1)


def test_lds_smooths_the_roots_and_not_the_counts() -> None:
    kernel = lds_kernel(3, 1.0)
    weights = lds_weights([20] * 9 + [21] * 4, kernel=kernel)
    assert weights[0] / weights[-1] == pytest.approx((2 + 3 * kernel[0]) / (3 + 2 * kernel[0]))


def test_class_balanced_weights_of_beta_zero_are_one() -> None:
    np.testing.assert_allclose(class_balanced_weights(COUNTS, beta=0.0), np.ones(4))


def test_class_balanced_weights_approach_inverse_counts_and_sum_to_the_classes() -> None:
    weights = class_balanced_weights(COUNTS, beta=1 - 1e-9)
    assert weights.sum() == pytest.approx(4)
    np.testing.assert_allclose(weights * COUNTS / (weights[0] * COUNTS[0]), np.ones(4), rtol=1e-4)


@pytest.mark.parametrize("build", [LDAM, LMF, LogitAdjusted, VS, class_balanced_weights])
def test_a_class_without_faces_is_named_with_the_cure(build: Any) -> None:
    with pytest.raises(
        DataError, match=r"none of the class '1', which the cure '(ldam|lmf|logit_adjusted|vs|class_bal)"
    ):
        build([10, 0, 5])
