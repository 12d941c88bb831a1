import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from components.dataset.labels import Labels
from components.preprocess.selection import copies, undersampled

LABELS = Labels()


def table(ages, genders, races, contents=None):
    count = len(ages)
    names = [f"{place:06d}.jpg" for place in range(count)]
    labels = {"age": ages, "gender": genders, "race": races}
    contents = contents or names
    faces = pd.DataFrame({"file_name": names, "content_hash": contents, "duplicate_group": contents} | labels)
    return faces.astype(dict.fromkeys(labels, int) | {"file_name": str, "content_hash": str})


def cell_counts(faces):
    return faces.groupby(["gender", (faces["age"] - 1) // 10]).size()


def test_the_asian_class_of_the_proof_of_concept_keeps_837_of_3348():
    rng = np.random.default_rng(0)
    faces = table(rng.integers(1, 81, 3348), rng.integers(0, 2, 3348), np.full(3348, 2))
    removed = undersampled(faces, {"Asian": 0.75}, 10, LABELS, seed=0)
    assert len(faces) - len(removed) == 837


@settings(deadline=None)
@given(
    cells=st.lists(st.tuples(st.integers(1, 80), st.integers(0, 1)), max_size=120),
    fraction=st.floats(0, 0.99),
    floor=st.integers(0, 6),
    seed=st.integers(0, 5),
)
def test_undersampling_keeps_the_fraction_or_what_the_floors_need(cells, fraction, floor, seed):
    faces = table([age for age, _ in cells] + [30], [gender for _, gender in cells] + [0], [2] * len(cells) + [0])
    removed = undersampled(faces, {"Asian": fraction}, floor, LABELS, seed)
    asian = faces[faces["race"] == 2]
    kept = asian.drop(index=removed.index)
    floors = np.minimum(cell_counts(asian), floor)
    assert (faces.loc[removed.index, "race"] == 2).all()
    assert len(kept) == max(round((1 - fraction) * len(asian)), floors.sum())
    assert (cell_counts(kept).reindex(floors.index, fill_value=0) >= floors).all()


def test_undersampling_leaves_faces_without_copies_for_the_test_set():
    contents = ["same"] * 30 + [f"other {place}" for place in range(10)]
    faces = table([25] * 40, [0] * 40, [2] * 40, contents)
    removed = undersampled(faces, {"Asian": 0.75}, 10, LABELS, seed=3)
    assert set(faces.drop(index=removed.index)["content_hash"]) == set(contents[30:])


def test_undersampling_prefers_copies_that_the_test_set_can_draw():
    contents = ["across"] * 2 + ["within"] * 2
    faces = table([15, 25, 25, 25], [0] * 4, [2] * 4, contents)
    removed = undersampled(faces, {"Asian": 0.5}, 0, LABELS, seed=0)
    assert set(faces.drop(index=removed.index)["content_hash"]) == {"within"}


def test_a_floor_above_the_test_quota_leaves_training_faces_in_every_cell():
    faces = table(list(range(1, 81)) * 40, [0, 1] * 1600, [2] * 3200)
    removed = undersampled(faces, {"Asian": 0.95}, 15, LABELS, seed=0)
    assert (cell_counts(faces.drop(index=removed.index)) == 15).all()


def test_the_draw_of_one_class_does_not_depend_on_another():
    faces = table([25] * 80, [0] * 80, [1, 2] * 40)
    alone = undersampled(faces, {"Asian": 0.5}, 0, LABELS, seed=1)
    both = undersampled(faces, {"Black": 0.5, "Asian": 0.5}, 0, LABELS, seed=1)
    assert set(alone.index) == {row for row in both.index if faces.loc[row, "race"] == 2}


@pytest.mark.parametrize(("apart", "left"), [(0, 1), (5, 1), (6, 0)])
def test_copies_agree_up_to_the_age_tolerance(apart, left):
    faces = table([20, 20 + apart, 40], [1, 1, 1], [0, 0, 0], ["same", "same", "other"])
    removed = copies(faces, 5)
    assert len(faces) - len(removed) - 1 == left
    assert 2 not in removed.index


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 80), st.integers(0, 1), st.integers(0, 4)), max_size=40))
def test_dropping_copies_leaves_each_content_once_and_only_where_labels_agree(rows):
    contents, ages, genders, races = (list(column) for column in zip(*rows, strict=True)) if rows else ([],) * 4
    faces = table(ages, genders, races, contents)
    kept = faces.drop(index=copies(faces, 5).index)
    assert kept["content_hash"].is_unique
    for content, group in faces.groupby("content_hash"):
        agree = group["gender"].nunique() == 1 == group["race"].nunique() and np.ptp(group["age"]) <= 5
        assert (content in set(kept["content_hash"])) == agree
