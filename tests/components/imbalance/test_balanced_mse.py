"""Balanced MSE against the distribution of all training ages: in bins, and as a Gaussian mixture."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.optimize import minimize_scalar
from scipy.special import logsumexp
from scipy.stats import norm

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.imbalance.losses.balanced_mse_bni import BalancedMSEBNI
from components.imbalance.losses.balanced_mse_gai import BalancedMSEGAI
from components.imbalance.plan import prepare
from components.imbalance.registry import Variant, find_variant
from components.imbalance.settings import ImbalanceSettings

CENTERS, SHARES, SIGMA = np.asarray([0.5, 1.5, 2.5, 4.0]), np.asarray([0.1, 0.5, 0.3, 0.1]), 0.4
VARIANCES = np.asarray([0.3, 0.05, 0.2, 0.5])
TARGETS = np.linspace(0, 4.4, 23)
PREDICTIONS = TARGETS[::-1] * 0.9 + 0.2
LOG_AGE = AgeScale("log_age")


def bins(predictions: np.ndarray) -> np.ndarray:
    """Return the responsibility of each bin for a prediction, and before it the loss, in double precision."""
    exponents = -((predictions[:, None] - CENTERS) ** 2) / (2 * SIGMA**2) + np.log(SHARES)
    total = logsumexp(exponents, axis=1)
    losses = (predictions - TARGETS) ** 2 + 2 * SIGMA**2 * total
    pulls = (np.exp(exponents - total[:, None]) * CENTERS).sum(axis=1)
    return np.stack([losses, 2 * (pulls - TARGETS)])


def mixture(predictions: np.ndarray) -> np.ndarray:
    """Return the losses and gradients, the balance by numerical integration of the noise over the mixture."""

    def loss(prediction: float, target: float) -> float:
        balance = quad(
            lambda y: norm.pdf(y, prediction, SIGMA) * (SHARES * norm.pdf(y, CENTERS, VARIANCES**0.5)).sum(),
            -8,
            12,
            points=[*CENTERS, prediction],
            limit=200,
        )[0]
        # The loss leaves the factor (2 pi)^(-1/2) out of both densities.
        noise = norm.logpdf(target, prediction, SIGMA)
        return float(2 * SIGMA**2 * (np.log(balance) - noise))

    step = 1e-4
    pairs = list(zip(predictions, TARGETS, strict=True))
    losses = [loss(*pair) for pair in pairs]
    gradients = [(loss(p + step, t) - loss(p - step, t)) / (2 * step) for p, t in pairs]
    return np.asarray([losses, gradients])


@pytest.mark.parametrize(
    ("loss", "expected"),
    [
        (BalancedMSEBNI(SIGMA, CENTERS.tolist(), SHARES.tolist()), bins),
        (BalancedMSEGAI(SIGMA, CENTERS.tolist(), VARIANCES.tolist(), SHARES.tolist()), mixture),
    ],
    ids=["bni", "gai"],
)
def test_the_loss_and_its_gradient_are_those_of_the_definition(
    loss: Any,
    expected: Callable[[np.ndarray], np.ndarray],
    value_and_gradient: Callable[..., tuple[float, np.ndarray]],
    assert_close: Callable[..., None],
) -> None:
    losses, gradients = expected(PREDICTIONS)
    assert_close(loss.call(TARGETS[:, None], PREDICTIONS[:, None]), losses, rtol=1e-5, atol=1e-6)
    loss.reduction = "sum"
    _, found = value_and_gradient(lambda ages: loss(TARGETS[:, None], ages), PREDICTIONS[:, None], "float32")
    assert_close(found[:, 0], gradients, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("scale", [LOG_AGE, AgeScale("years")], ids=["log_age", "years"])
def test_the_best_prediction_is_that_of_ages_as_common_as_each_other(
    scale: AgeScale, make_faces: Callable[..., Manifest]
) -> None:
    # With uniform ages a look's density of ages is normal around its mean, in the unit of the head; the training
    # faces of that look have it in proportion to how common their ages are.
    ages = np.arange(1, 81)
    faces = np.maximum(1, (40 * np.exp(-0.5 * ((ages - 28) / 12) ** 2)).astype(int))
    train = make_faces(faces.sum(), age=np.repeat(ages, faces))
    loss = prepare(find_variant("balanced_mse_bni"), ImbalanceSettings(), train, scale).losses["age"]
    targets, mean = scale.encode(ages).astype(float), scale.encode(55).astype(float)
    widths = 1 / ages if scale.target == "log_age" else 1.0
    of_look = faces * widths * norm.pdf(targets, mean, loss.noise_sigma)

    def risk(prediction: float) -> float:
        values = np.asarray(loss.call(targets[:, None], np.full((80, 1), prediction)), np.float64)
        return float((of_look * values).sum() / of_look.sum())

    best = minimize_scalar(risk, bounds=(scale.lower, scale.upper), method="bounded", options={"xatol": 1e-5}).x
    plain = (of_look * targets).sum() / of_look.sum()
    assert best == pytest.approx(mean, abs=0.005)
    assert plain < mean - 0.03


def test_the_mixture_has_the_mean_and_the_variance_of_the_training_ages(make_faces: Callable[..., Manifest]) -> None:
    train = make_faces(2000)
    variant = Variant("trial", "Trial", "test", {"age": "balanced_mse_gai"}, {"balanced_mse_gai.uniform_in": "target"})
    plan = prepare(variant, ImbalanceSettings(), train, LOG_AGE)
    fitted = plan.statistics.treatments["age"].details["mixture"]
    means, variances, shares = (np.asarray(fitted[key]) for key in ("means", "variances", "shares"))
    assert len(means) == 8
    assert shares.sum() == pytest.approx(1)
    targets = np.log(train.faces["age"].to_numpy(np.float64))
    assert shares @ means == pytest.approx(targets.mean(), abs=2e-3)
    assert shares @ (variances + means**2) - (shares @ means) ** 2 == pytest.approx(targets.var(), rel=0.01)
