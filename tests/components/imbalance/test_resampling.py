"""Which training faces are used, and how often."""

from collections.abc import Callable

import numpy as np

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
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
