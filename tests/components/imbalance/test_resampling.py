"""Which training faces are used, and how often."""

from collections.abc import Callable

import numpy as np
import pytest
from scipy.optimize import brentq

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.imbalance.cell_balanced import cell_probabilities
from components.imbalance.plan import prepare
from components.imbalance.registry import find_variant
from components.imbalance.settings import ImbalanceSettings

MakeFaces = Callable[..., Manifest]
SETTINGS = ImbalanceSettings()


def rows_after_down_sampling(train: Manifest, **overrides: float) -> np.ndarray:
    settings = SETTINGS.with_overrides({f"downsample.{key}": value for key, value in overrides.items()})
    return prepare(find_variant("downsample"), settings, train, AgeScale()).rows


def test_half_of_the_majority_class_goes_and_every_other_face_stays(make_faces: MakeFaces) -> None:
    train = make_faces()
    before = np.bincount(train.faces["ethnicity"])
    rows = rows_after_down_sampling(train)
    after = np.bincount(train.faces["ethnicity"].to_numpy()[rows])
    assert before.argmax() == 0
    np.testing.assert_array_equal(after, [before[0] - before[0] // 2, *before[1:]])
    assert (np.diff(rows) > 0).all()


def test_the_seed_fixes_which_faces_go(make_faces: MakeFaces) -> None:
    train = make_faces()
    np.testing.assert_array_equal(rows_after_down_sampling(train), rows_after_down_sampling(train))
    assert set(rows_after_down_sampling(train)) != set(rows_after_down_sampling(train, seed=7))


def test_one_face_of_the_majority_class_always_stays(make_faces: MakeFaces) -> None:
    train = make_faces(4, age=[5, 6, 7, 8], gender=[0, 1, 0, 1], ethnicity=[0, 1, 2, 3])
    assert len(rows_after_down_sampling(train, fraction=0.99)) == 4


def test_every_cell_with_faces_is_drawn_equally_often(make_faces: MakeFaces) -> None:
    train = make_faces()
    plan = prepare(find_variant("cell_balanced"), SETTINGS, train, AgeScale())
    assert plan.probabilities is not None
    chance = np.bincount(train.cells(), plan.probabilities)
    filled = np.unique(train.cells())
    np.testing.assert_allclose(chance[filled], 1 / len(filled))
    assert len(filled) == plan.statistics.resampling.details["cells"] < train.labels.cell_count
    assert len(filled) + len(plan.statistics.resampling.details["empty_cells"]) == train.labels.cell_count


def test_the_priors_after_cell_balancing_are_those_of_the_draws(make_faces: MakeFaces) -> None:
    train = make_faces()
    plan = prepare(find_variant("cell_balanced"), SETTINGS, train, AgeScale())
    drawn = np.random.default_rng(0).choice(len(train), 200_000, p=plan.probabilities)
    shares = np.bincount(train.faces["ethnicity"].to_numpy()[drawn]) / 200_000
    np.testing.assert_allclose(list(plan.statistics.priors["ethnicity"].values()), shares, atol=5e-3)


CELLS = np.repeat(np.arange(7), [300, 90, 0, 25, 4, 2, 1])


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_a_cell_is_drawn_in_proportion_to_a_power_of_its_faces(power: float) -> None:
    chance = np.bincount(CELLS, cell_probabilities(CELLS, power), minlength=7)
    expected = np.asarray([0.0 if size == 0 else size**power for size in (300, 90, 0, 25, 4, 2, 1)])
    np.testing.assert_allclose(chance, expected / expected.sum(), rtol=1e-12)


@pytest.mark.parametrize("power", [0.0, 0.5])
@pytest.mark.parametrize("most_draws", [1.0, 2.0, 8.0, 40.0, 1000.0])
def test_a_cap_on_the_draws_moves_the_rest_in_proportion(power: float, most_draws: float) -> None:
    free = cell_probabilities(CELLS, power) * len(CELLS)
    draws = cell_probabilities(CELLS, power, most_draws) * len(CELLS)
    factor = brentq(lambda scale: np.minimum(scale * free, most_draws).sum() - len(CELLS), 1, 1e6, xtol=1e-13)
    np.testing.assert_allclose(draws, np.minimum(factor * free, most_draws), rtol=1e-10)
    assert draws.sum() == pytest.approx(len(CELLS), rel=1e-12)


def test_without_a_power_or_a_cap_the_draws_are_those_of_equal_cells_to_the_bit(make_faces: MakeFaces) -> None:
    train = make_faces()
    cells = train.cells()
    expected = 1.0 / (np.bincount(cells)[cells] * len(np.unique(cells)))
    plan = prepare(find_variant("cell_balanced"), SETTINGS, train, AgeScale())
    np.testing.assert_array_equal(plan.probabilities, expected / expected.sum())


@pytest.mark.parametrize("name", ["cell_capped", "cell_sqrt"])
def test_capped_and_square_root_sampling_draw_the_rarest_faces_less_often(name: str, make_faces: MakeFaces) -> None:
    train = make_faces(3000)
    most = {
        name: prepare(find_variant(name), SETTINGS, train, AgeScale()).statistics.resampling.details["most_draws"]
        for name in ("cell_balanced", name)
    }
    assert most[name] < most["cell_balanced"] / 2
    assert name != "cell_capped" or most[name] == pytest.approx(8)


@pytest.mark.parametrize("name", ["cell_sqrt_logit", "cell_capped_logit"])
def test_the_logits_of_resampled_faces_are_adjusted_by_the_priors_of_the_draws(
    name: str, make_faces: MakeFaces
) -> None:
    train = make_faces()
    plan = prepare(find_variant(name), SETTINGS, train, AgeScale())
    priors = np.bincount(train.faces["ethnicity"], plan.probabilities)
    np.testing.assert_allclose(plan.losses["ethnicity"].offset, np.log(priors), rtol=1e-6)


@pytest.mark.parametrize("name", ["crt", "crt_cell"])
def test_the_second_stage_draws_classes_or_cells_equally_often_and_computes_its_priors_from_that(
    name: str, make_faces: MakeFaces
) -> None:
    train = make_faces()
    plan = prepare(find_variant(name), SETTINGS, train, AgeScale())
    assert plan.probabilities is None
    assert plan.second_stage is not None
    codes = train.faces["ethnicity"].to_numpy(int) if name == "crt" else train.cells()
    probabilities = plan.second_stage.plan.probabilities
    np.testing.assert_allclose(np.bincount(codes, probabilities)[np.unique(codes)], 1 / len(np.unique(codes)))
    shares = np.bincount(train.faces["ethnicity"], probabilities)
    np.testing.assert_allclose(list((plan.statistics.output_priors["ethnicity"] or {}).values()), shares, rtol=1e-9)
    np.testing.assert_allclose(
        list(plan.statistics.priors["ethnicity"].values()), np.bincount(train.faces["ethnicity"]) / 400
    )


@pytest.mark.parametrize("balance", ["class", "cell"])
@pytest.mark.parametrize("name", ["cmo", "minority_mixup"])
def test_partners_show_classes_or_cells_equally_often_and_the_faces_stay_as_they_are(
    name: str, balance: str, make_faces: MakeFaces
) -> None:
    train = make_faces()
    plan = prepare(find_variant(name), SETTINGS.with_overrides({f"{name}.balance": balance}), train, AgeScale())
    assert plan.probabilities is None
    assert plan.mixing is not None
    codes = train.faces["ethnicity"].to_numpy(int) if balance == "class" else train.cells()
    # The weight of a face is 1 / (faces of its class), as in the authors' code.
    expected = 1 / np.bincount(codes)[codes]
    np.testing.assert_allclose(plan.mixing.probabilities, expected / expected.sum(), rtol=1e-12)
    shares = np.bincount(train.faces["ethnicity"]) / 400
    np.testing.assert_allclose(list(plan.statistics.priors["ethnicity"].values()), shares)
    assert plan.statistics.output_priors["ethnicity"] is None
