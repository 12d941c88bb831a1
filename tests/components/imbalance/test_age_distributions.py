"""Cures that score every age: their losses and gradients on paper, and what is read from the scores."""

import math
from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import pytest
from scipy.special import expit, log_expit, log_softmax, softmax
from scipy.stats import norm

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.imbalance.age_shares import age_shares
from components.imbalance.heads.age_thresholds import SharedWeightLogits
from components.imbalance.losses.coral import CORAL
from components.imbalance.losses.dldl import DLDL
from components.imbalance.losses.mean_variance import MeanVariance
from components.imbalance.plan import prepare
from components.imbalance.registry import Variant, find_variant
from components.imbalance.settings import ImbalanceSettings
from components.imbalance.treatment import TrainingFaces

HIGHEST = 12
GENERATOR = np.random.default_rng(6)
LOGITS = GENERATOR.normal(0, 2, (20, HIGHEST))
AGES = 1 + np.arange(20) % HIGHEST
GRID = np.arange(1, HIGHEST + 1)
SCALES = [AgeScale("log_age", HIGHEST), AgeScale("years", HIGHEST)]
Gradient = Callable[..., tuple[float, np.ndarray]]

pytestmark = pytest.mark.parametrize("scale", SCALES, ids=["log_age", "years"])


@pytest.fixture
def check(value_and_gradient: Gradient, assert_close: Callable[..., None]) -> Callable[..., None]:
    """Assert a loss's values and, face by face, its gradient with respect to the scores."""

    def check_loss(loss: Any, scale: AgeScale, scores: np.ndarray, values: np.ndarray, gradient: np.ndarray) -> None:
        targets = scale.encode(AGES)[:, None]
        assert_close(loss.call(targets, keras.ops.convert_to_tensor(scores, "float32")), values, rtol=1e-5)
        _, found = value_and_gradient(lambda inputs: keras.ops.sum(loss.call(targets, inputs)), scores, "float32")
        assert_close(found, gradient, rtol=1e-4, atol=2e-5)

    return check_loss


@pytest.mark.parametrize("offset", [None, np.log(GRID / GRID.sum())], ids=["plain", "adjusted"])
def test_dldl_is_the_divergence_from_a_discretised_normal_and_the_error_of_the_mean(
    scale: AgeScale, offset: np.ndarray | None, check: Callable[..., None]
) -> None:
    loss = DLDL(
        HIGHEST,
        age_target=scale.target,
        sigma=1.5,
        l1_weight=0.7,
        offset=None if offset is None else offset.tolist(),
        factor=0.3,
    )
    target = norm.pdf(GRID, AGES[:, None], 1.5)
    target /= target.sum(axis=1, keepdims=True)
    log_p = log_softmax(LOGITS + (0 if offset is None else offset), axis=1)
    p = np.exp(log_p)
    mean = p @ GRID
    values = 0.3 * ((target * (np.log(target) - log_p)).sum(axis=1) + 0.7 * np.abs(mean - AGES))
    slope = np.sign(mean - AGES)[:, None] * p * (GRID - mean[:, None])
    check(loss, scale, LOGITS, values, 0.3 * (p - target + 0.7 * slope))


def test_mean_variance_is_cross_entropy_with_half_the_squared_error_and_the_variance(
    scale: AgeScale, check: Callable[..., None]
) -> None:
    loss = MeanVariance(HIGHEST, age_target=scale.target, mean_weight=0.2, variance_weight=0.05, factor=0.5)
    p = softmax(LOGITS, axis=1)
    mean = p @ GRID
    from_mean = GRID - mean[:, None]
    variance = (p * from_mean**2).sum(axis=1)
    true = AGES[:, None] == GRID
    values = 0.5 * (-np.log(p[true]) + 0.2 * (mean - AGES) ** 2 / 2 + 0.05 * variance)
    gradient = p - true + 0.2 * (mean - AGES)[:, None] * p * from_mean + 0.05 * p * (from_mean**2 - variance[:, None])
    check(loss, scale, LOGITS, values, 0.5 * gradient)


def test_coral_is_the_sum_of_the_cross_entropies_of_being_older(scale: AgeScale, check: Callable[..., None]) -> None:
    loss, scores = CORAL(HIGHEST, age_target=scale.target, factor=0.5), LOGITS[:, 1:]
    older = AGES[:, None] > GRID[:-1]
    values = -0.5 * np.where(older, log_expit(scores), log_expit(-scores)).sum(axis=1)
    check(loss, scale, scores, values, 0.5 * (expit(scores) - older))


def trained_like(train: Manifest, variant: Variant, scale: AgeScale) -> tuple[Any, np.ndarray]:
    """Return a variant's age head and the scores of an untrained network whose features are all zero."""
    head = prepare(variant, ImbalanceSettings(), train, scale).heads["age"]
    inputs = keras.Input((3,))
    return head, np.asarray(keras.Model(inputs, head.scores(inputs, "age"))(np.zeros((1, 3))), np.float64)


@pytest.mark.parametrize("name", ["dldl", "mean_variance", "coral"])
def test_training_starts_from_the_mean_training_age(
    scale: AgeScale, name: str, make_faces: Callable[..., Manifest]
) -> None:
    train = make_faces(age=1 + np.arange(400) % 7)
    head, scores = trained_like(train, find_variant(name), AgeScale(scale.target, 80))
    read = np.asarray(head.read(scores.astype(np.float32)))
    assert read.shape == (1, 1)
    # The spread is cut off at age 1, and one face in 401 is spread over 80 years.
    assert AgeScale(scale.target, 80).decode(read)[0, 0] == pytest.approx(4, abs=0.5)


def test_the_adjusted_distribution_starts_uniform(scale: AgeScale, make_faces: Callable[..., Manifest]) -> None:
    head, scores = trained_like(make_faces(), find_variant("dldl_balanced"), AgeScale(scale.target, 80))
    np.testing.assert_array_equal(scores, np.zeros((1, 80)))
    assert AgeScale(scale.target, 80).decode(head.read(scores.astype(np.float32)))[0, 0] == pytest.approx(40.5)


def test_the_adjustment_leaves_the_scores_of_a_population_with_as_many_faces_of_every_age(
    scale: AgeScale, value_and_gradient: Gradient, make_faces: Callable[..., Manifest]
) -> None:
    # The optimum of the divergence for faces that look alike is the mean of their label distributions, which is the
    # training shares times the likelihood of the look: without the shares, the likelihood stays.
    ages = np.repeat(GRID, 3 * GRID)
    train = make_faces(len(ages), age=ages)
    settings = ImbalanceSettings().with_overrides({"dldl.tau": 1.0, "dldl.l1_weight": 0.0, "dldl.sigma": 0.2})
    loss = prepare(Variant("trial", "Trial", "test", {"age": "dldl"}), settings, train, scale).losses["age"]
    likelihood = np.exp(-0.5 * (GRID - 7.0) ** 2 / 4)
    mass = (GRID * likelihood)[:, None]
    logits = np.repeat(np.log(likelihood)[None], HIGHEST, axis=0)

    def weighted(scores: Any) -> Any:
        losses = loss.call(scale.encode(GRID)[:, None], scores)
        return keras.ops.sum(keras.ops.convert_to_tensor(mass[:, 0] / mass.sum(), "float32") * losses)

    _, gradient = value_and_gradient(weighted, logits, "float32")
    np.testing.assert_allclose(gradient.sum(axis=0), 0, atol=1e-4)


@pytest.mark.parametrize("extreme", [-1e4, 0.0, 1e4])
@pytest.mark.parametrize("name", ["dldl", "coral"])
def test_the_age_read_from_any_scores_is_inside_the_bounds(
    scale: AgeScale, name: str, extreme: float, make_faces: Callable[..., Manifest]
) -> None:
    train = make_faces(age=1 + np.arange(400) % HIGHEST)
    head, scores = trained_like(train, find_variant(name), scale)
    rising = (extreme * np.linspace(-1, 1, scores.shape[1]))[None].astype(np.float32)
    for read in (head.read(rising), head.read(np.full_like(rising, extreme))):
        assert 1 - 1e-5 <= scale.decode(np.asarray(read))[0, 0] <= HIGHEST + 1e-4


def test_the_shares_of_the_ages_are_smoothed_draws_and_never_zero(
    scale: AgeScale, make_faces: Callable[..., Manifest]
) -> None:
    train = make_faces(4, age=[1, 1, 1, 9], gender=[0, 1, 0, 1], ethnicity=[0, 1, 2, 3])
    shares = age_shares(TrainingFaces(train, np.asarray([0.5, 0.5, 1.0, 2.0]), scale), sigma_years=0.1)
    assert shares == pytest.approx((2 * (GRID == 1) + 2 * (GRID == 9) + 1 / HIGHEST) / 5)
    assert math.isclose(shares.sum(), 1)


def test_the_thresholds_survive_serialisation(scale: AgeScale) -> None:
    layer = SharedWeightLogits([1.0, -1.0])
    assert keras.layers.deserialize(keras.layers.serialize(layer)).start == layer.start
