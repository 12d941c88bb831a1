"""From a variant and the training faces to losses, weights and draws."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import keras
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import softmax

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.dataset.outputs import OUTPUTS
from components.errors import DataError, RequestError
from components.imbalance.plan import TrainingPlan, prepare
from components.imbalance.posthoc import adjust_probabilities
from components.imbalance.registry import VARIANTS, Variant, find_variant
from components.imbalance.settings import ImbalanceSettings

LOG_AGE = AgeScale("log_age")
SETTINGS = ImbalanceSettings()
MakeFaces = Callable[..., Manifest]


def variant_with(cures: Mapping[str, str], **overrides: Any) -> Variant:
    return Variant("trial", "Trial", "test", cures, overrides)


def loss_of(plan: TrainingPlan, output: str) -> Any:
    plain = getattr(keras.losses, OUTPUTS[output].plain_loss)
    return plan.losses.get(output) or (plain(from_logits=True) if OUTPUTS[output].is_classified else plain())


@pytest.mark.parametrize("name", VARIANTS)
@pytest.mark.parametrize("scale", [LOG_AGE, AgeScale("years")], ids=["log_age", "years"])
def test_every_variant_gives_finite_losses_on_weighted_faces(name: str, scale: AgeScale, make_faces: MakeFaces) -> None:
    train = make_faces()
    plan = prepare(find_variant(name), SETTINGS, train, scale)
    faces = train.subset(plan.rows).faces
    outputs = {"age": np.full((len(faces), 1), 0.5), "gender": np.zeros((len(faces), 1))}
    outputs["ethnicity"] = np.zeros((len(faces), 4))
    targets = {"age": scale.encode(faces["age"]), "gender": faces["gender"], "ethnicity": faces["ethnicity"]}
    draws = np.ones(len(faces)) if plan.probabilities is None else plan.probabilities * len(faces)
    for output, weights in plan.sample_weights.items():
        assert weights.dtype == np.float32
        assert np.average(weights, weights=draws) == pytest.approx(1, rel=1e-5)
        loss, scores = loss_of(plan, output), outputs[output]
        if output in plan.heads:
            scores = plan.heads[output].scores(keras.ops.zeros((len(faces), 3)), output)
        value = float(loss(np.asarray(targets[output])[:, None], scores, sample_weight=weights))
        assert 0 < abs(value) < 100
    json.dumps(plan.statistics.model_dump(), allow_nan=False)


def test_the_baseline_weighs_all_faces_alike_and_uses_all(make_faces: MakeFaces) -> None:
    plan = prepare(find_variant("baseline"), SETTINGS, make_faces(), LOG_AGE)
    np.testing.assert_array_equal(plan.rows, np.arange(400))
    assert plan.probabilities is None
    assert plan.deferred_weights is None
    assert all((weights == 1).all() for weights in plan.sample_weights.values())


def test_inverse_counts_make_every_group_weigh_the_same_in_total(make_faces: MakeFaces) -> None:
    train = make_faces()
    plan = prepare(find_variant("ins"), SETTINGS, train, LOG_AGE)
    for output, column in (("age", "age_bin"), ("gender", "gender"), ("ethnicity", "ethnicity")):
        totals = np.bincount(train.faces[column], plan.sample_weights[output])
        np.testing.assert_allclose(totals, 400 / len(totals), rtol=1e-5)


def test_an_empty_age_bin_is_no_error_but_an_empty_class_is(make_faces: MakeFaces) -> None:
    young = make_faces(age=np.resize([3, 14, 25], 400))
    statistics = prepare(find_variant("ins"), SETTINGS, young, LOG_AGE).statistics
    assert len(statistics.treatments["age"].details["group_weights"]) == 3
    without_asian = make_faces(ethnicity=np.resize([0, 1, 3], 400))
    with pytest.raises(DataError, match="class 'Asian', which the cure 'ins' needs"):
        prepare(find_variant("ins"), SETTINGS, without_asian, LOG_AGE)


@pytest.mark.parametrize("name", ["ldam", "lmf", "logit_adjusted", "vs", "class_balanced", "drw"])
def test_a_class_without_faces_is_named_with_the_cure(name: str, make_faces: MakeFaces) -> None:
    without_asian = make_faces(ethnicity=np.resize([0, 1, 3], 400))
    with pytest.raises(DataError, match=f"class 'Asian', which the cure '{name}' needs"):
        prepare(find_variant(name), SETTINGS, without_asian, LOG_AGE)


@pytest.mark.parametrize("name", VARIANTS)
def test_labels_outside_the_training_split_move_nothing(name: str, make_faces: MakeFaces) -> None:
    before = make_faces(600)
    training = np.arange(600) % 3 != 0
    changed = before.faces.assign(
        age=before.faces["age"].where(training, 80).astype("int16"),
        gender=before.faces["gender"].where(training, 1).astype("int8"),
        ethnicity=before.faces["ethnicity"].where(training, 2).astype("int8"),
    )
    after = replace(before, faces=changed)
    first, second = (
        prepare(find_variant(name), SETTINGS, whole.subset(training), LOG_AGE) for whole in (before, after)
    )
    assert first.statistics == second.statistics
    for output, weights in first.sample_weights.items():
        np.testing.assert_array_equal(weights, second.sample_weights[output])
    assert first.losses.keys() == second.losses.keys()
    for output, loss in first.losses.items():
        assert loss.get_config() == second.losses[output].get_config()


def test_everything_is_computed_again_after_down_sampling(make_faces: MakeFaces) -> None:
    train = make_faces()
    cures = {"age": "denseweight", "gender": "ins", "ethnicity": "ldam"}
    resampled = prepare(variant_with({**cures, "resampling": "downsample"}), SETTINGS, train, LOG_AGE)
    alone = prepare(variant_with(cures), SETTINGS, train.subset(resampled.rows), LOG_AGE)
    whole = prepare(variant_with(cures), SETTINGS, train, LOG_AGE)
    for key in ("counts", "priors", "treatments"):
        assert getattr(resampled.statistics, key) == getattr(alone.statistics, key) != getattr(whole.statistics, key)
    for output in cures:
        np.testing.assert_array_equal(resampled.sample_weights[output], alone.sample_weights[output])


def test_denseweight_of_the_variant_wins_over_the_settings(make_faces: MakeFaces) -> None:
    settings = SETTINGS.with_overrides({"denseweight.alpha": 0.5})
    train = make_faces()
    ranges = {}
    for name in ("denseweight", "denseweight_full"):
        weights = prepare(find_variant(name), settings, train, LOG_AGE).sample_weights["age"]
        ranges[name] = weights.max() / weights.min()
    assert ranges["denseweight"] <= 2
    assert ranges["denseweight_full"] > 10


def test_denseweight_estimates_the_density_where_the_settings_say(make_faces: MakeFaces) -> None:
    train = make_faces()
    bandwidths = {}
    for space, scale in (("target", LOG_AGE), ("target", AgeScale("years")), ("years", LOG_AGE)):
        settings = SETTINGS.with_overrides({"denseweight.space": space})
        statistics = prepare(find_variant("denseweight"), settings, train, scale).statistics
        bandwidths[space, scale.target] = statistics.treatments["age"].details["bandwidth"]
    assert bandwidths["target", "log_age"] < 1 < bandwidths["target", "years"] == bandwidths["years", "log_age"]


def test_the_noise_of_balanced_mse_is_in_the_unit_of_the_age_head(make_faces: MakeFaces) -> None:
    train = make_faces(age=np.resize([20, 60], 400))
    sigmas = [
        prepare(find_variant("balanced_mse"), SETTINGS, train, scale).losses["age"].noise_sigma
        for scale in (LOG_AGE, AgeScale("years", 80))
    ]
    assert sigmas == pytest.approx([8 / 40, 8 / 80])


def test_deferred_weights_leave_the_first_epochs_and_the_other_outputs_alone(make_faces: MakeFaces) -> None:
    train = make_faces()
    plan = prepare(find_variant("ldam_drw"), SETTINGS, train, LOG_AGE)
    assert plan.losses["ethnicity"].name == "ldam"
    assert plan.deferred_fraction == 0.2
    assert (plan.sample_weights["ethnicity"] == 1).all()
    assert plan.deferred_weights is not None
    assert (plan.deferred_weights["age"] == 1).all()
    by_class = [plan.deferred_weights["ethnicity"][train.faces["ethnicity"] == code].max() for code in range(4)]
    assert by_class[2] == max(by_class)
    assert plan.deferred_weights["ethnicity"].mean() == pytest.approx(1)


def test_two_losses_on_one_output_are_refused(make_faces: MakeFaces) -> None:
    with pytest.raises(RequestError, match=r"two losses for ethnicity \(ldam and focal\)"):
        prepare(variant_with({"ethnicity": "ldam+focal"}), SETTINGS, make_faces(), LOG_AGE)


def test_weights_of_two_cures_multiply(make_faces: MakeFaces) -> None:
    train = make_faces()
    product, first, second = (
        prepare(variant_with({"age": age}), SETTINGS, train, LOG_AGE).sample_weights["age"].astype(float)
        for age in ("denseweight+lds", "denseweight", "lds")
    )
    np.testing.assert_allclose(product, first * second / (first * second).mean(), rtol=1e-5)


@pytest.mark.parametrize(
    ("ethnicity", "overrides"),
    [
        ("focal", {}),
        ("vs", {}),
        ("tau_norm", {}),
        ("ldam", {"ldam.scale": 30.0}),
        ("lmf", {"lmf.class_weighted": True}),
        ("lmf", {"lmf.scale": 30.0}),
    ],
)
def test_a_loss_that_bends_the_probabilities_says_that_its_priors_are_unknown(
    ethnicity: str, overrides: dict[str, Any], make_faces: MakeFaces
) -> None:
    variant = variant_with({"ethnicity": ethnicity}, **overrides)
    priors = prepare(variant, SETTINGS, make_faces(), LOG_AGE).statistics.output_priors
    assert priors["ethnicity"] is None
    assert priors["gender"] is not None


@pytest.mark.parametrize(
    ("cures", "overrides"),
    [
        ({}, {}),
        ({"ethnicity": "ins"}, {}),
        ({"ethnicity": "drw"}, {}),
        ({"ethnicity": "logit_adjusted"}, {}),
        ({"ethnicity": "logit_adjusted"}, {"logit_adjusted.tau": 0.5}),
        ({"ethnicity": "class_balanced+logit_adjusted"}, {}),
        ({"resampling": "cell_balanced"}, {}),
        ({"resampling": "cell_balanced", "ethnicity": "logit_adjusted"}, {}),
        ({"resampling": "cell_balanced", "ethnicity": "logit_adjusted"}, {"cell_balanced.power": 0.5}),
        ({"ethnicity": "vs"}, {"vs.gamma": 0.0}),
        ({"resampling": "downsample"}, {}),
    ],
    ids=str,
)
def test_output_priors_are_what_post_hoc_adjustment_has_to_take_off(
    cures: dict[str, str],
    overrides: dict[str, float],
    make_faces: MakeFaces,
    value_and_gradient: Callable[..., tuple[float, np.ndarray]],
) -> None:
    """A table of logits, one row per value of a feature, is trained to its optimum and adjusted."""
    train = make_faces(2000)
    plan = prepare(variant_with(cures, **overrides), SETTINGS, train, LOG_AGE)
    loss = loss_of(plan, "ethnicity")
    classes = train.subset(plan.rows).faces["ethnicity"].to_numpy(np.int64)
    feature = (np.random.default_rng(5).random(len(classes)) < 0.2 + 0.2 * classes).astype(np.int64)
    draws = np.ones(len(classes)) if plan.probabilities is None else plan.probabilities * len(classes)
    weights = (plan.deferred_weights or plan.sample_weights)["ethnicity"] * draws

    def objective(table: np.ndarray) -> tuple[float, np.ndarray]:
        value, gradient = value_and_gradient(
            lambda logits: loss(np.tile(np.arange(4), 2), logits, sample_weight=mass),
            np.repeat(table.reshape(2, 4), 4, axis=0),
            "float32",
        )
        return value, gradient.reshape(2, 4, 4).sum(axis=1).ravel()

    mass = np.bincount(feature * 4 + classes, weights, minlength=8) / weights.sum() * 8
    table = minimize(objective, np.zeros(8), jac=True, tol=1e-7).x.reshape(2, 4)
    priors = list((plan.statistics.output_priors["ethnicity"] or {}).values())
    joint = np.stack([np.bincount(classes, draws * (feature == value)) for value in (0, 1)])
    likelihood = joint / np.bincount(classes, draws)
    expected = likelihood / likelihood.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(adjust_probabilities(softmax(table, axis=1), priors), expected, atol=2e-3)
