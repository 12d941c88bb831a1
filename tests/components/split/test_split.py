from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.errors import DataError
from components.split.settings import SplitSettings
from components.split.split import choose_validation, largest_remainders, split

FRACTIONS = st.floats(0.05, 0.95)
CELLS = st.lists(st.tuples(*(st.integers(0, 1) for _ in range(3))), min_size=1, max_size=150)


@pytest.fixture
def run(tmp_path):
    def run_stage(pool, **settings):
        pool.write(tmp_path / "pool")
        paths = [str(tmp_path / name) for name in ("pool", "train", "validation")]
        facts = split(paths[0], SplitSettings(**settings), *paths[1:])
        return facts, Manifest.read(paths[1]), Manifest.read(paths[2])

    return run_stage


def share_error(pool, validates, fraction):
    """Return how far each cell is from its exact share, in faces."""
    cells = pool.cells()
    faces = np.bincount(cells, minlength=pool.labels.cell_count)
    return np.abs(np.bincount(cells[validates], minlength=pool.labels.cell_count) - fraction * faces)


def test_the_18324_faces_of_the_proof_of_concept_give_14659_and_3665(label, run):
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.ones(64))
    cells = np.array(np.unravel_index(rng.choice(64, 18324, p=shares), (2, 4, 8))).T
    pool = label(np.column_stack([cells, np.arange(18324)]), Labels())
    facts, train, validation = run(pool)
    assert facts == {"train": 14659, "validation": 3665}
    assert (len(train), len(validation)) == (14659, 3665)
    assert (share_error(pool, choose_validation(pool, SplitSettings()), 0.2) < 1).all()


def test_train_and_validation_partition_the_pool_in_its_order(fill, run):
    pool = fill(10)
    _, train, validation = run(pool)
    names = [part.faces["image_id"].tolist() for part in (train, validation)]
    assert sorted(names[0] + names[1]) == pool.faces["image_id"].tolist()
    assert all(part == sorted(part) for part in names)
    assert (np.bincount(validation.cells()) == 2).all()


def test_the_same_seed_chooses_the_same_faces_and_another_seed_others(fill):
    chosen = [choose_validation(fill(20), SplitSettings(seed=seed)) for seed in (1, 1, 2)]
    assert (chosen[0] == chosen[1]).all()
    assert (chosen[0] != chosen[2]).any()


@settings(deadline=None)
@given(CELLS, FRACTIONS, st.integers(0, 3))
def test_without_copies_every_cell_and_the_whole_get_their_share(label, cells, fraction, seed):
    pool = label([(*cell, place) for place, cell in enumerate(cells)])
    validates = choose_validation(pool, SplitSettings(validation_fraction=fraction, seed=seed))
    assert validates.sum() == round(fraction * len(pool))
    assert (share_error(pool, validates, fraction) < 1).all()


@settings(deadline=None)
@given(CELLS, st.lists(st.integers(0, 50), min_size=150, max_size=150), FRACTIONS)
def test_no_group_is_ever_parted(label, cells, groups, fraction):
    pool = label([(*cell, group) for cell, group in zip(cells, groups, strict=False)])
    validates = choose_validation(pool, SplitSettings(validation_fraction=fraction))
    numbers = pool.faces["duplicate_group"]
    assert not set(numbers[validates]) & set(numbers[~validates])


@settings(deadline=None)
@given(CELLS, st.data(), FRACTIONS)
def test_copies_cost_a_cell_at_most_the_size_of_its_largest_group(label, cells, data, fraction):
    faces = []
    for group, cell in enumerate(cells):
        faces += [(*cell, group)] * data.draw(st.integers(1, 4))
    pool = label(faces)
    validates = choose_validation(pool, SplitSettings(validation_fraction=fraction))
    sizes = Counter(pool.faces["duplicate_group"])
    error = share_error(pool, validates, fraction)
    for cell in set(pool.cells()):
        largest = max(sizes[group] for group in pool.faces["duplicate_group"][pool.cells() == cell])
        assert error[cell] < 1 + (largest if largest > 1 else 0)


@settings(deadline=None)
@given(st.lists(st.integers(0, 200), min_size=1, max_size=64), FRACTIONS)
def test_largest_remainders_apportion_exactly(counts, fraction):
    shares = largest_remainders(np.array(counts), fraction, np.random.default_rng(0))
    assert shares.sum() == round(fraction * sum(counts))
    assert (np.abs(shares - fraction * np.array(counts)) < 1).all()


def test_largest_remainders_prefer_the_largest():
    # Exact shares 0.4, 0.8 and 1.8: three in all, and the first cell loses.
    assert largest_remainders(np.array([2, 4, 9]), 0.2, np.random.default_rng(0)).tolist() == [0, 1, 2]


def test_copies_with_conflicting_labels_stay_together(label):
    pool = label([(0, 0, 0, 0), (1, 1, 1, 0)] + [(0, 0, 0, number) for number in range(1, 40)])
    for seed in range(5):
        validates = choose_validation(pool, SplitSettings(validation_fraction=0.5, seed=seed))
        assert validates[0] == validates[1]


def test_cells_without_a_training_face_are_named(label, run, caplog):
    run(label([(gender, gender, 0, 2 * place + gender) for place in range(10) for gender in range(2)]))
    named = "Male, White, 11-20; Male, Black, 1-10; Male, Black, 11-20; Female, White, 1-10"
    assert f"6 of 8 cells have no training face: {named}" in caplog.text


def test_a_pool_too_small_to_divide_is_refused(label, run, tmp_path):
    with pytest.raises(DataError, match="leave none for validation: use more faces, or change"):
        run(label([(0, 0, 0, 0), (0, 1, 0, 1)]))
    assert {path.name for path in tmp_path.iterdir()} == {"pool"}


def test_a_class_without_training_faces_is_named(label, run):
    pool = label([(0, 0, 0, number) for number in range(4)] + [(1, 1, 1, 7)])
    with pytest.raises(DataError, match="No face of Female or Black is left for training"):
        run(pool, validation_fraction=0.8)
