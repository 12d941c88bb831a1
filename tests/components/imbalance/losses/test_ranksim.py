"""RankSim, whose gradient is not that of its value."""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from scipy.stats import rankdata

from components.imbalance.losses.ranksim import RankSim

GENERATOR = np.random.default_rng(2)
TARGETS = np.log([30, 5, 30, 71, 12, 5, 44])
FIRST_OF_AGE = [0, 1, 3, 4, 6]
SCORES = GENERATOR.normal(size=(7, 5))


def expected() -> tuple[np.ndarray, np.ndarray]:
    """Return the loss of each face and the gradient of their sum, ranks by SciPy, cosines by hand."""
    error = SCORES[:, 0] - TARGETS
    losses, gradient = np.abs(error), np.zeros_like(SCORES)
    gradient[:, 0] = np.sign(error)
    lengths = np.linalg.norm(SCORES[:, 1:], axis=1)
    units = SCORES[:, 1:] / lengths[:, None]
    cosines = units @ units.T
    number = len(FIRST_OF_AGE)
    for own in FIRST_OF_AGE:
        similarities = cosines[own, FIRST_OF_AGE]
        by_features = rankdata(-similarities) / number
        by_age = rankdata(np.abs(TARGETS[own] - TARGETS[FIRST_OF_AGE])) / number
        losses[own] += 0.5 * np.mean((by_features - by_age) ** 2)
        moved = rankdata(-(similarities + 3.0 * 2 * (by_features - by_age) / number)) / number
        for other, slope in zip(FIRST_OF_AGE, 0.5 * (moved - by_features) / 3.0, strict=True):
            cosine = cosines[own, other]
            gradient[own, 1:] += slope * (units[other] - cosine * units[own]) / lengths[own]
            gradient[other, 1:] += slope * (units[own] - cosine * units[other]) / lengths[other]
    return losses, gradient


def test_values_and_gradient_are_those_of_ranks_and_of_their_difference_quotient(
    value_and_gradient: Callable[..., tuple[float, np.ndarray]], assert_close: Callable[..., None]
) -> None:
    loss = RankSim(0.5, interpolation=3.0)
    losses, gradient = expected()
    assert np.abs(gradient[:, 1:]).max() > 0.01
    assert_close(loss.call(TARGETS[:, None], SCORES), losses, rtol=1e-5)
    _, found = value_and_gradient(lambda scores: keras.ops.sum(loss.call(TARGETS[:, None], scores)), SCORES, "float32")
    assert_close(found, gradient, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("scores", [np.zeros((7, 5)), np.full((7, 5), 1e4)], ids=["no features", "extreme"])
def test_the_gradient_is_finite(scores: Any, value_and_gradient: Callable[..., tuple[float, np.ndarray]]) -> None:
    value, gradient = value_and_gradient(lambda given: RankSim()(TARGETS[:, None], given), scores, "float16")
    assert np.isfinite(value)
    assert np.isfinite(gradient).all()


def test_the_loss_survives_saving() -> None:
    restored = keras.losses.deserialize(keras.losses.serialize(RankSim(0.5, interpolation=3.0)))
    assert (restored.weight, restored.interpolation) == (0.5, 3.0)
