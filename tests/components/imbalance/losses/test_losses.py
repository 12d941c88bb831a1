"""What Keras expects of a loss: extreme inputs, types, weights, shapes, saving."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest

from components.imbalance.losses.balanced_mse import BalancedMSE
from components.imbalance.losses.balanced_mse_bni import BalancedMSEBNI
from components.imbalance.losses.balanced_mse_gai import BalancedMSEGAI
from components.imbalance.losses.coral import CORAL
from components.imbalance.losses.dldl import DLDL
from components.imbalance.losses.focal import Focal
from components.imbalance.losses.ldam import LDAM
from components.imbalance.losses.lmf import LMF
from components.imbalance.losses.logit_adjusted import LogitAdjusted
from components.imbalance.losses.mean_variance import MeanVariance
from components.imbalance.losses.vs import VS

COUNTS = [7520, 3407, 533, 2968]
CLASS_LOSSES = [
    LDAM(COUNTS),
    LDAM(COUNTS, max_margin=0.3, scale=30.0, class_weights=[0.2, 0.3, 0.5, 0.4]),
    Focal(0.0),
    Focal(0.5),
    Focal(4.0, class_weights=[1.0, 2.0, 3.0, 4.0]),
    LMF(COUNTS),
    LMF(COUNTS, alpha=1.5, beta=1.0, gamma=1.5, scale=30.0, class_weighted=True),
    LogitAdjusted(COUNTS, tau=1.5),
    VS(COUNTS),
]
AGE_LOSSES = [
    BalancedMSE(0.25),
    BalancedMSEBNI(0.25, [1.0, 2.0, 4.0], [0.2, 0.5, 0.3]),
    BalancedMSEGAI(0.25, [1.0, 3.0], [0.5, 0.2], [0.4, 0.6]),
]
AGE_SCORE_LOSSES = [
    DLDL(4, age_target="years", sigma=1.5),
    DLDL(4, age_target="years", offset=[-1.0, -2.0, -3.0, -1.5]),
    MeanVariance(4, age_target="years"),
    CORAL(5, age_target="years"),
]
LOSSES = [*CLASS_LOSSES, *AGE_LOSSES, *AGE_SCORE_LOSSES]
LOGITS = np.random.default_rng(0).normal(0, 2, (12, 4))
CLASSES = np.arange(12) % 4


def name(loss: Any) -> str:
    return f"{loss.name}-{LOSSES.index(loss)}"


def labels_like(loss: Any, classes: np.ndarray) -> np.ndarray:
    """Return codes as ages, on the scale of the age head, where a loss takes ages."""
    return (classes + 1) / loss.max_age if loss in AGE_SCORE_LOSSES else classes


def batch_for(loss: Any) -> tuple[np.ndarray, np.ndarray]:
    if loss in AGE_LOSSES:
        return np.linspace(0, 4, 12)[:, None], LOGITS[:, :1]
    if loss in AGE_SCORE_LOSSES:
        return labels_like(loss, CLASSES)[:, None], LOGITS
    return CLASSES[:, None], LOGITS


@pytest.mark.parametrize("dtype", ["float32", "float16", "bfloat16"])
@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_extreme_outputs_give_finite_values_and_gradients(
    loss: Any, dtype: str, value_and_gradient: Callable[..., tuple[float, np.ndarray]]
) -> None:
    extremes = np.asarray([[1e4, -1e4, 1e4, -1e4], [-1e4] * 4, [1e4] * 4, [1e4, -1e4, -1e4, -1e4], [0, 1e4, -1e4, 0]])
    outputs = np.tile(extremes, (4, 1))[:, : 1 if loss in AGE_LOSSES else 4]
    labels = labels_like(loss, np.repeat(np.arange(4), 5))
    value, gradient = value_and_gradient(lambda inputs: keras.ops.mean(loss.call(labels, inputs)), outputs, dtype)
    assert np.isfinite(value)
    assert value > 0
    assert np.isfinite(gradient).all()
    assert np.abs(gradient).max() > 0


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_the_gradient_is_that_of_finite_differences(
    loss: Any, value_and_gradient: Callable[..., tuple[float, np.ndarray]]
) -> None:
    labels, outputs = batch_for(loss)
    direction = np.random.default_rng(1).normal(size=outputs.shape)
    _, gradient = value_and_gradient(lambda inputs: loss(labels, inputs), outputs, "float32")
    ahead, behind = (float(loss(labels, outputs + step * direction)) for step in (1e-2, -1e-2))
    assert (gradient * direction).sum() == pytest.approx((ahead - behind) / 2e-2, rel=2e-2)


@pytest.mark.parametrize("loss", AGE_LOSSES, ids=name)
def test_an_age_far_outside_is_drawn_towards_its_target(
    loss: Any, value_and_gradient: Callable[..., tuple[float, np.ndarray]]
) -> None:
    targets = np.asarray([[2.0], [3.0]])
    _, gradient = value_and_gradient(lambda ages: loss(targets, ages), np.asarray([[9.0], [-9.0]]), "float32")
    assert gradient[0, 0] > 0 > gradient[1, 0]


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_half_precision_outputs_are_scored_in_single_precision(loss: Any, dtype: str) -> None:
    labels, outputs = batch_for(loss)
    halves = keras.ops.cast(keras.ops.convert_to_tensor(outputs, "float32"), dtype)
    losses = loss.call(labels, halves)
    assert keras.backend.standardize_dtype(losses.dtype) == "float32"
    np.testing.assert_array_equal(losses, loss.call(labels, keras.ops.cast(halves, "float32")))


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_labels_and_weights_may_have_a_second_axis_or_not(loss: Any) -> None:
    labels, outputs = batch_for(loss)
    weights = np.linspace(0, 2, 12)
    values = {
        float(loss(these, outputs, sample_weight=those))
        for these in (labels, labels[:, 0], labels.astype("float32"))
        for those in (weights, weights[:, None])
    }
    assert len(values) == 1


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_the_value_is_the_mean_of_weighted_losses(loss: Any) -> None:
    labels, outputs = batch_for(loss)
    weights = np.linspace(0, 2, 12)
    each = np.asarray(loss.call(labels, outputs))
    assert each.shape == (12,)
    assert float(loss(labels, outputs, sample_weight=weights)) == pytest.approx((each * weights).mean(), rel=1e-5)


@pytest.mark.parametrize("loss", LOSSES, ids=name)
def test_a_loss_survives_saving(loss: Any) -> None:
    labels, outputs = batch_for(loss)
    restored = keras.losses.deserialize(keras.losses.serialize(loss))
    assert type(restored) is type(loss)
    assert restored.get_config() == loss.get_config()
    assert float(restored(labels, outputs)) == float(loss(labels, outputs))


def test_a_trained_model_with_cures_survives_saving(tmp_path: Any) -> None:
    keras.utils.set_random_seed(0)
    inputs = keras.Input((3,))
    sizes = {"age": 1, "gender": 1, "ethnicity": 4}
    model = keras.Model(
        inputs, {output: keras.layers.Dense(size, name=output)(inputs) for output, size in sizes.items()}
    )
    losses = {"age": BalancedMSE(0.25), "gender": LDAM([60, 40]), "ethnicity": LMF(COUNTS, class_weighted=True)}
    model.compile("sgd", losses, jit_compile=False)
    features = np.random.default_rng(0).normal(size=(10, 3))
    labels = {"age": np.linspace(0, 4, 10)[:, None], "gender": np.arange(10)[:, None] % 2}
    labels["ethnicity"] = np.arange(10)[:, None] % 4
    history = model.fit(features, labels, batch_size=4, epochs=8, verbose=0).history["loss"]
    assert history[-1] < history[0]
    before = model.evaluate(features, labels, verbose=0)
    model.save(tmp_path / "model.keras")
    assert keras.saving.load_model(tmp_path / "model.keras").evaluate(features, labels, verbose=0) == before
