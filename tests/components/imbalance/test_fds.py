"""Feature distribution smoothing (Yang et al. 2021): the calibration, and the age on calibrated features."""

from collections.abc import Callable

import keras
import numpy as np
import pytest

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.imbalance.fds import calibration, fds_window
from components.imbalance.heads.smoothed_age import CalibratedUnit
from components.imbalance.plan import prepare
from components.imbalance.registry import find_variant
from components.imbalance.settings import ImbalanceSettings


def calibrate(feature: float, age: int, means: np.ndarray, variances: np.ndarray, window: np.ndarray) -> float:
    """Return one feature of a face of an age as the authors' code calibrates it, all ages filled."""
    half = len(window) // 2
    # Reflected without the edge itself, as their padding does it.
    near = [abs(age + step) for step in range(-half, half + 1)]
    near = [2 * (len(means) - 1) - each if each >= len(means) else each for each in near]
    mean, variance = window @ means[near], window @ variances[near]
    if variances[age] == 0:
        return feature
    return float((feature - means[age]) * np.sqrt(np.clip(variance / variances[age], 0.1, 10)) + mean)


def test_the_window_is_the_authors_and_sums_to_one() -> None:
    kernel = np.asarray([0.8583, 0.9458, 1, 0.9458, 0.8583])
    np.testing.assert_allclose(fds_window(5, 2.0), kernel / kernel.sum(), atol=2e-5)


@pytest.mark.parametrize("size", [1, 5, 9])
def test_a_feature_gets_the_mean_and_the_variance_that_its_ages_neighbours_share(size: int) -> None:
    generator, window = np.random.default_rng(0), fds_window(size)
    means, variances = generator.normal(size=(12, 3)), generator.gamma(0.3, size=(12, 3))
    variances[4, 1] = 0
    scale, shift = calibration(means, variances, np.ones(12, bool), window)
    # A window of up to nine years can't take a tenth of a variance.
    assert scale.max() == pytest.approx(1.0 if size == 1 else 10**0.5)
    features = generator.normal(size=(12, 3))
    expected = [
        [calibrate(features[age, each], age, means[:, each], variances[:, each], window) for each in range(3)]
        for age in range(12)
    ]
    np.testing.assert_allclose(scale * features + shift, expected, rtol=1e-9, atol=1e-12)


def test_an_age_without_faces_neither_changes_nor_counts() -> None:
    means, filled = np.arange(5.0)[:, None], np.asarray([True, True, False, True, True])
    scale, shift = calibration(means, np.ones((5, 1)), filled, np.full(3, 1 / 3))
    np.testing.assert_allclose(scale, 1)
    # The mean of ages 0 and 1 at 1, of 3 and 4 at 3; at the ends the neighbour counts on both sides.
    np.testing.assert_allclose(shift[:, 0], [2 / 3, 1 / 2 - 1, 0, 7 / 2 - 3, 10 / 3 - 4], atol=1e-12)


@pytest.mark.parametrize("scale", [AgeScale("log_age"), AgeScale("years")], ids=["log_age", "years"])
def test_the_age_is_learnt_on_calibrated_features_and_read_from_plain_ones(
    scale: AgeScale, make_faces: Callable[..., Manifest], value_and_gradient: Callable, assert_close: Callable
) -> None:
    plan = prepare(find_variant("fds"), ImbalanceSettings(), make_faces(), scale)
    head, loss, generator = plan.heads["age"], plan.losses["age"], np.random.default_rng(0)
    inputs = keras.Input((6,))
    model = keras.Model(inputs, head.scores(inputs, "age"))
    unit = model.get_layer("age")
    assert isinstance(unit, CalibratedUnit)
    features = generator.normal(size=(8, 6)).astype(np.float32)
    ages = np.asarray([1, 2, 30, 30, 55, 79, 80, 80])
    targets = scale.encode(ages)[:, None]
    kernel = unit.kernel.numpy().astype(float)
    plain = features @ kernel + unit.bias.numpy()
    assert_close(loss(targets, model(features, training=True)), np.abs(plain - targets).mean(), rtol=1e-5)
    factors, shifts = generator.uniform(0.5, 2, (80, 6)), generator.normal(size=(80, 6))
    unit.scale.assign(factors)
    unit.shift.assign(shifts)
    calibrated = (factors[ages - 1] * features + shifts[ages - 1]) @ kernel + unit.bias.numpy()
    value, slope = value_and_gradient(lambda at: loss(targets, model(at, training=True)), features, "float32")
    assert_close(value, np.abs(calibrated - targets).mean(), rtol=1e-5)
    assert_close(slope, np.sign(calibrated - targets) * factors[ages - 1] * kernel[:, 0] / 8, rtol=1e-4)
    for training in (True, False):
        read = np.clip(plain, scale.lower, scale.upper)
        assert_close(head.read(model(features, training=training)), read, rtol=1e-4, atol=1e-5)
    assert_close(loss(targets, model(features, training=False)), np.abs(plain - targets).mean(), rtol=1e-5)
