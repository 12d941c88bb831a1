"""Calibration: temperatures and priors of simulated networks are found, and errors equal a plain loop."""

import numpy as np
import pytest
from scipy.special import softmax

from components.dataset.outputs import OUTPUTS
from components.evaluation.calibration import confidences, fit_calibration, fit_temperature, reliability

SHARES = np.array([0.55, 0.25, 0.05, 0.15])


def _calibrated(faces, seed=0):
    """Return logits of a network that is calibrated on faces with :data:`SHARES`, and the true classes."""
    generator = np.random.default_rng(seed)
    truth = generator.choice(4, faces, p=SHARES)
    # Scores of unit variance around the true class's 1: their log-likelihood ratios are the scores themselves.
    logits = generator.normal(size=(faces, 4)) + np.log(SHARES)
    logits[np.arange(faces), truth] += 1
    return logits, truth


def test_the_temperature_of_an_overconfident_network_is_found():
    logits, truth = _calibrated(40_000)
    for factor in (0.5, 1.0, 2.5):
        found = fit_temperature(np.log(softmax(factor * logits, axis=1)), truth)
        assert found == pytest.approx(factor, rel=0.05)


def test_the_shares_that_probabilities_carry_are_found_with_their_temperature():
    logits, truth = _calibrated(40_000, seed=1)
    carried = np.array([0.25, 0.25, 0.25, 0.25])
    found = fit_calibration(softmax(1.5 * (logits - np.log(SHARES) + np.log(carried)), axis=1), truth)
    np.testing.assert_allclose(found.carried, carried, atol=0.02)
    assert found.temperature == pytest.approx(1.5, rel=0.08)
    plain = fit_calibration(softmax(logits, axis=1), truth)
    np.testing.assert_allclose(plain.carried, SHARES, atol=0.01)


def test_a_class_without_faces_can_not_be_calibrated():
    logits, truth = _calibrated(200)
    assert fit_calibration(softmax(logits, axis=1)[truth != 2], truth[truth != 2]) is None


def test_the_calibration_error_is_that_of_a_plain_loop():
    generator = np.random.default_rng(4)
    confidence = generator.random(600)
    right = generator.random(600) < confidence**2
    found = reliability(confidence, right, np.ones(600))
    order = np.argsort(confidence)
    gaps = [abs(confidence[part].mean() - right[part].mean()) * len(part) / 600 for part in np.array_split(order, 15)]
    assert found.error == pytest.approx(sum(gaps))
    assert found.weight.sum() == 600
    assert reliability(confidence, right, np.zeros(600)).error is not None


def test_weights_count_faces_as_often_as_they_say():
    generator = np.random.default_rng(5)
    confidence, right = generator.random(90), generator.random(90) < 0.5
    weights = generator.integers(1, 5, 90)
    repeated = reliability(np.repeat(confidence, weights), np.repeat(right, weights), np.ones(weights.sum()))
    weighted = reliability(confidence, right, weights.astype(float))
    assert weighted.error == pytest.approx(repeated.error, abs=0.06)


def test_confidence_is_the_probability_of_the_predicted_class(predict):
    predictions = predict()
    confidence, right = confidences(predictions, OUTPUTS["gender"])
    assert set(np.round(confidence, 5)) == {0.9}
    assert right.mean() == pytest.approx((predictions.faces["gender"] == predictions.faces["predicted_gender"]).mean())
    of_ethnicity, _ = confidences(predictions, OUTPUTS["ethnicity"])
    np.testing.assert_allclose(of_ethnicity, predictions.probabilities(OUTPUTS["ethnicity"]).max(axis=1))
