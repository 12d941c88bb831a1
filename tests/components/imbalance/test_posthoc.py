"""Post-hoc logit adjustment."""

import numpy as np
import pytest

from components.errors import DataError
from components.imbalance.posthoc import adjust_probabilities

PRIORS = np.asarray([0.52, 0.24, 0.04, 0.20])
PROBABILITIES = np.random.default_rng(0).dirichlet(np.ones(4), 200)


@pytest.mark.parametrize("tau", [0.5, 1.0, 1.5])
def test_the_prediction_is_the_largest_log_probability_less_the_log_prior(tau: float) -> None:
    expected = (np.log(PROBABILITIES) - np.log(PRIORS**tau + 1e-12)).argmax(axis=1)
    adjusted = adjust_probabilities(PROBABILITIES, PRIORS, tau)
    np.testing.assert_array_equal(adjusted.argmax(axis=1), expected)
    np.testing.assert_allclose(adjusted.sum(axis=1), 1)


def test_tau_zero_and_equal_priors_change_nothing() -> None:
    np.testing.assert_allclose(adjust_probabilities(PROBABILITIES, PRIORS, 0.0), PROBABILITIES)
    np.testing.assert_allclose(adjust_probabilities(PROBABILITIES, np.full(4, 0.25)), PROBABILITIES)


def test_bayes_rule_with_the_training_prior_becomes_bayes_rule_with_equal_priors() -> None:
    likelihood = np.asarray([[0.1, 0.2, 0.6, 0.1]])
    posterior = likelihood * PRIORS / (likelihood * PRIORS).sum()
    np.testing.assert_allclose(adjust_probabilities(posterior, PRIORS), likelihood)


def test_certain_predictions_stay_as_they_are() -> None:
    np.testing.assert_array_equal(adjust_probabilities([[1.0, 0.0, 0.0, 0.0]], PRIORS), [[1.0, 0.0, 0.0, 0.0]])


def test_a_prior_of_zero_is_an_error() -> None:
    with pytest.raises(DataError, match="class '1'"):
        adjust_probabilities(PROBABILITIES, [0.5, 0.0, 0.3, 0.2])
