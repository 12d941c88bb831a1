import itertools
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.build_test_set.build_test_set import build_test_set, draw_test_set
from components.build_test_set.settings import BuildTestSetSettings
from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.errors import DataError
from components.files import read_json

FACES = st.lists(st.tuples(*(st.integers(0, 1) for _ in range(3)), st.integers(0, 60)), min_size=1, max_size=120)


@dataclass(frozen=True)
class Outcome:
    folder: Path
    facts: dict

    def read(self, name):
        return Manifest.read(self.folder / name)


@pytest.fixture
def run(tmp_path):
    def run_stage(manifest, **settings):
        manifest.write(tmp_path / "manifest")
        paths = [str(tmp_path / name) for name in ("manifest", "test", "pool", "summary")]
        return Outcome(tmp_path, build_test_set(paths[0], BuildTestSetSettings(**settings), *paths[1:]))

    return run_stage


def test_the_test_set_of_the_proof_of_concept_has_ten_faces_in_each_of_64_cells(fill, run):
    outcome = run(fill(12, Labels()))
    assert outcome.facts == {"test": 640, "pool": 128, "cells": 64, "shortfall": 0}
    assert (np.bincount(outcome.read("test").cells(), minlength=64) == 10).all()


def test_test_and_pool_partition_the_manifest_in_its_order(fill, run):
    manifest = fill(5)
    outcome = run(manifest, faces_per_cell=2)
    test, pool = (outcome.read(name).faces["image_id"].tolist() for name in ("test", "pool"))
    assert sorted(test + pool) == manifest.faces["image_id"].tolist()
    assert test == sorted(test)
    assert pool == sorted(pool)


def test_labels_fingerprint_and_settings_travel_with_both(fill, run):
    outcome = run(fill(3), faces_per_cell=1)
    for name in ("test", "pool"):
        part = outcome.read(name)
        assert part.labels.ethnicities == ("White", "Black")
        assert part.fingerprint == "fingerprint"
        assert part.made_by["settings"]["faces_per_cell"] == 1


def test_the_same_seed_draws_the_same_faces_and_another_seed_others(fill):
    manifest = fill(20)
    draws = [draw_test_set(manifest, BuildTestSetSettings(faces_per_cell=5, seed=seed)).in_test for seed in (1, 1, 2)]
    assert (draws[0] == draws[1]).all()
    assert (draws[0] != draws[2]).any()


@settings(deadline=None)
@given(FACES, st.integers(1, 6), st.integers(0, 3))
def test_no_group_is_parted_and_no_cell_gets_more_than_its_quota(label, faces, quota, seed):
    manifest = label(faces)
    draw = draw_test_set(manifest, BuildTestSetSettings(faces_per_cell=quota, seed=seed))
    groups = manifest.faces["duplicate_group"]
    assert not set(groups[draw.in_test]) & set(groups[~draw.in_test])
    counts = np.bincount(manifest.cells()[draw.in_test], minlength=8)
    assert (counts == draw.taken).all()
    assert (counts <= quota).all()


@settings(deadline=None)
@given(FACES, st.integers(1, 6))
def test_a_cell_with_enough_faces_without_copies_is_filled_with_those_alone(label, faces, quota):
    manifest = label(faces)
    draw = draw_test_set(manifest, BuildTestSetSettings(faces_per_cell=quota))
    groups, cells = manifest.faces["duplicate_group"], manifest.cells()
    copied = groups.duplicated(keep=False).to_numpy()
    # A group in two cells may be drawn for the other one, which would stay short without it.
    within = copied & (pd.Series(cells).groupby(groups.to_numpy()).transform("nunique") == 1).to_numpy()
    for cell in np.flatnonzero(np.bincount(cells[~copied], minlength=8) >= quota):
        assert draw.taken[cell] == quota
        assert not (within & draw.in_test & (cells == cell)).any()


def test_a_group_is_drawn_whole_where_the_cell_would_stay_short_without_it(label):
    faces = [(0, 0, 0, group) for group in (1, 2, 3, 4, 4, 5, 5, 5)]
    draw = draw_test_set(label(faces), BuildTestSetSettings(faces_per_cell=5))
    assert draw.taken[0] == 5
    assert draw.in_test[[3, 4]].all()


def test_a_group_whose_labels_conflict_is_never_drawn(label):
    faces = [(0, 0, 0, 1), (1, 0, 0, 1), (0, 0, 0, 2)]
    draw = draw_test_set(label(faces), BuildTestSetSettings(faces_per_cell=2))
    assert draw.in_test.tolist() == [False, False, True]


def test_copies_in_neighbouring_ages_are_drawn_only_where_a_cell_would_stay_short(label):
    across = [(0, 0, 0, 1), (0, 0, 1, 1)]
    singles = [(0, 0, age_bin, 10 + place) for place, age_bin in enumerate([0] * 2 + [1] * 5)]
    draw = draw_test_set(label(across + singles), BuildTestSetSettings(faces_per_cell=3))
    assert draw.in_test[:2].all()
    assert draw.taken[:2].tolist() == [3, 3]
    enough = draw_test_set(label(across + singles), BuildTestSetSettings(faces_per_cell=2))
    assert not enough.in_test[:2].any()
    assert enough.taken[:2].tolist() == [2, 2]


def test_a_reserve_is_left_for_training_before_the_test_set_takes_its_quota(label, run):
    cells = list(itertools.product((0, 1), repeat=3))
    manifest = label([(*cell, 100 * place + face) for place, cell in enumerate(cells) for face in range(6 + place)])
    outcome = run(manifest, faces_per_cell=8, training_reserve=5, allow_shortfall=True)
    assert np.bincount(outcome.read("test").cells()).tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert (np.bincount(outcome.read("pool").cells()) == 5).all()
    assert outcome.facts["shortfall"] == 7
    assert read_json(outcome.folder / "summary")["training_reserve"] == 5


def test_a_reserve_that_leaves_too_little_is_explained(fill, run):
    with pytest.raises(
        DataError,
        match=r"8 of the 8 test cells have fewer than 3 faces to draw and 2 to leave for training .*: lower "
        r"build_test_set.faces_per_cell to 2, lower build_test_set.training_reserve, set build_test_set.allow",
    ):
        run(fill(4), faces_per_cell=3, training_reserve=2)


def test_cells_with_too_few_faces_are_listed_with_the_cure(fill, run, tmp_path):
    manifest = fill(4)
    without = manifest.subset(np.delete(np.arange(len(manifest)), [0, 5]))
    with pytest.raises(
        DataError,
        match=r"2 of the 8 test cells have fewer than 4 faces to draw \(Male, White, 1-10: 3; Male, White, 11-20: 3\): "
        r"lower build_test_set.faces_per_cell to 3, set build_test_set.allow_shortfall=true, or use more faces",
    ):
        run(without, faces_per_cell=4)
    assert {path.name for path in tmp_path.iterdir()} == {"manifest"}


def test_an_empty_cell_is_not_cured_by_a_quota_of_nothing(fill, run):
    with pytest.raises(DataError, match=r"Male, White, 1-10: 0\): set build_test_set.allow_shortfall"):
        run(fill(2).subset(np.arange(2, 16)), faces_per_cell=1)


def test_many_short_cells_are_counted(fill, run):
    with pytest.raises(DataError, match="64 of the 64 test cells .* and 56 more"):
        run(fill(2, Labels()))


def test_an_allowed_shortfall_is_recorded(fill, run):
    outcome = run(fill(4).subset(np.arange(3, 32)), faces_per_cell=3, allow_shortfall=True)
    assert outcome.facts["shortfall"] == 1
    summary = read_json(outcome.folder / "summary")
    assert summary["shortfalls"] == [{"cell": "Male, White, 1-10", "faces": 1, "drawable": 1, "test": 1, "pool": 0}]
    assert sum(row["test"] for row in summary["by_cell"]) == outcome.facts["test"]


def test_a_test_set_that_takes_all_of_a_class_is_refused(fill, label, run):
    with pytest.raises(
        DataError, match="No face of Male or Female or White or Black is left outside the test set: lower"
    ):
        run(fill(2), faces_per_cell=2)
