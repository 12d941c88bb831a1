"""The normalised classifier, and the losses that were published with it."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import log_softmax

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.imbalance.heads.cosine import Cosine, CosineLogits
from components.imbalance.plan import prepare
from components.imbalance.registry import find_variant
from components.imbalance.settings import ImbalanceSettings

GENERATOR = np.random.default_rng(8)
FEATURES = np.abs(GENERATOR.normal(size=(24, 6)))
CLASSES = np.arange(24) % 4


def logits_and_cosines(head: Any) -> tuple[np.ndarray, np.ndarray]:
    """Return a head's logits of the features, and the cosines between features and weights in double precision."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, head.scores(inputs, "ethnicity"))
    weights = np.asarray(model.get_layer("ethnicity").get_weights()[0], np.float64)
    lengths = np.linalg.norm(FEATURES, axis=1)[:, None] * np.linalg.norm(weights, axis=0)
    return np.asarray(model(FEATURES)), FEATURES @ weights / lengths


@pytest.mark.parametrize(("name", "focal"), [("ldam_cosine", 0.0), ("lmf_cosine", 0.05)])
def test_the_loss_is_a_tenth_of_that_of_cosines_less_their_margin_times_thirty(
    name: str, focal: float, make_faces: Callable[..., Manifest], assert_close: Callable[..., None]
) -> None:
    train = make_faces()
    plan = prepare(find_variant(name), ImbalanceSettings(), train, AgeScale())
    logits, cosines = logits_and_cosines(plan.heads["ethnicity"])
    margins = np.bincount(train.faces["ethnicity"]) ** -0.25
    margins *= 0.5 / margins.max()
    true = np.arange(24), CLASSES
    shifted = cosines.copy()
    shifted[true] -= margins[CLASSES]
    expected = -log_softmax(30 * shifted, axis=1)[true]
    if focal:
        negative_log = -log_softmax(30 * cosines, axis=1)[true]
        expected = 2.5 * expected + focal * (1 - np.exp(-negative_log)) ** 4 * negative_log
    assert_close(plan.losses["ethnicity"].call(CLASSES, logits), 0.1 * expected, rtol=1e-5)
    assert list(plan.statistics.treatments["ethnicity"].details["margins"].values()) == pytest.approx(margins)


def test_the_only_logit_of_two_classes_is_the_difference_of_two(assert_close: Callable[..., None]) -> None:
    logits, cosines = logits_and_cosines(Cosine(2, 30.0))
    assert_close(logits[:, 0], 30 * (cosines[:, 1] - cosines[:, 0]), rtol=1e-4, atol=1e-5)


def test_a_face_without_features_has_equal_logits_and_a_finite_gradient(
    value_and_gradient: Callable[..., tuple[float, np.ndarray]],
) -> None:
    layer = CosineLogits(4, 30.0)
    value, gradient = value_and_gradient(lambda x: keras.ops.sum(layer(x) ** 2), np.zeros((2, 6)), "float32")
    assert value == 0
    assert np.isfinite(gradient).all()


def test_the_layer_survives_serialisation() -> None:
    copy = keras.layers.deserialize(keras.layers.serialize(CosineLogits(4, 30.0)))
    assert (copy.units, copy.scale) == (4, 30.0)
