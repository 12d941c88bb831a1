"""Which readable faces are used: pure functions from a table of faces to the faces to remove from it.

A drop takes faces sorted by ``file_name`` with the columns ``file_name``, ``content_hash``, ``duplicate_group``,
``age``, ``gender`` and ``race`` (the codes that the source states), and returns those to remove: a table with the
index of ``faces`` and the columns ``reason`` and ``detail``.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from components.dataset.labels import ETHNICITIES, Labels
from components.dataset.reasons import Reason


def copies(faces: pd.DataFrame, age_tolerance_years: int) -> pd.DataFrame:
    """Remove byte-identical copies.

    The first of the copies, by file name, stays where their labels agree. None stays where gender
    or race conflict or the ages differ by more than the tolerance: there is no telling which label is true.
    """
    conflicting = label_conflicts(faces, "content_hash", age_tolerance_years).any(axis=1)
    groups = faces.groupby("content_hash", sort=False)
    conflict = faces["content_hash"].map(conflicting).astype(bool)
    repeated = groups.cumcount() > 0
    first = groups["file_name"].transform("first")
    size = groups["file_name"].transform("size").astype(str)
    detail = ("same bytes as " + first).where(~conflict, size + " files with the same bytes, first " + first)
    reason = np.where(conflict, Reason.CONFLICTING_DUPLICATE.value, Reason.DUPLICATE.value)
    return pd.DataFrame({"reason": reason, "detail": detail}, index=faces.index)[conflict | repeated]


def label_conflicts(faces: pd.DataFrame, by: str, age_tolerance_years: int) -> pd.DataFrame:
    """Return the labels on which copies disagree: a row for each group in order of appearance, a flag for each label.

    Args:
        faces: Faces.
        by: Column that says which faces are copies of each other.
        age_tolerance_years: Copies whose ages differ by more disagree.
    """
    groups = faces.groupby(by, sort=False)[["age", "gender", "race"]]
    tolerated = pd.Series({"age": age_tolerance_years, "gender": 0, "race": 0})
    conflicts = (groups.max() - groups.min()).gt(tolerated)
    return conflicts.rename(columns={"race": "ethnicity"})


def dropped_classes(faces: pd.DataFrame, names: tuple[str, ...], classes: Sequence[str] = ETHNICITIES) -> pd.DataFrame:
    """Remove the faces of the named ethnicity classes.

    Args:
        faces: Faces.
        names: Classes to remove.
        classes: The class that each code of ``race`` stands for.
    """
    ethnicity = _ethnicity(faces, classes)
    return _removed(ethnicity[ethnicity.isin(names)], Reason.DROPPED_CLASS)


def too_old(faces: pd.DataFrame, max_age: int) -> pd.DataFrame:
    """Remove the faces above an age, in years."""
    ages = faces.loc[faces["age"] > max_age, "age"]
    return _removed("age " + ages.astype(str) + f", at most {max_age} allowed", Reason.ABOVE_MAX_AGE)


def undersampled(
    faces: pd.DataFrame,
    fractions: Mapping[str, float],
    floor_per_cell: int,
    labels: Labels,
    seed: int,
    classes: Sequence[str] = ETHNICITIES,
) -> pd.DataFrame:
    """Remove random faces of some classes, leaving a floor in each of their gender × age-bin cells.

    A class of n faces keeps max(round((1 − fraction) · n), what the floors need). The floor of each
    cell (or all its faces, if they are fewer) is filled first; the rest is drawn from the whole class.
    Faces without a copy come first, then those whose copies are all in their cell, so that the test set, which never
    separates copies, can be filled from a cell that is left with no more than the floor.

    Args:
        faces: Faces with ages up to ``labels.max_age``.
        fractions: For each class, the fraction to remove.
        floor_per_cell: Faces to leave in each cell.
        labels: Defines the age bins.
        seed: Fixes the draw; each class has its own random stream.
        classes: The class that each code of ``race`` stands for.
    """
    cells = faces[["gender"]].assign(age_bin=labels.age_bin(faces["age"]))
    copied = faces["duplicate_group"].duplicated(keep=False)
    groups = cells.assign(race=faces["race"])[copied].groupby(faces["duplicate_group"][copied])
    spread = (groups.max() > groups.min()).any(axis=1)
    ties = copied.astype(int).to_numpy() + faces["duplicate_group"].isin(spread.index[spread]).to_numpy()
    removed = np.zeros(len(faces), bool)
    for name, fraction in fractions.items():
        race = classes.index(name)
        members = np.flatnonzero(faces["race"].to_numpy() == race)
        shuffled = np.random.default_rng((seed, race)).permutation(members)
        shuffled = shuffled[np.argsort(ties[shuffled], kind="stable")]
        rank = cells.iloc[shuffled].groupby(["gender", "age_bin"]).cumcount().to_numpy()
        floored = shuffled[rank < floor_per_cell]
        others = shuffled[rank >= floor_per_cell]
        kept = max(round((1 - fraction) * len(members)), len(floored))
        removed[others[kept - len(floored) :]] = True
    return _removed(_ethnicity(faces, classes)[removed], Reason.UNDERSAMPLED)


def _ethnicity(faces: pd.DataFrame, classes: Sequence[str]) -> "pd.Series[str]":
    """Return the name of each face's class."""
    return pd.Series(classes)[faces["race"]].set_axis(faces.index)


def _removed(detail: "pd.Series[str]", reason: Reason) -> pd.DataFrame:
    return pd.DataFrame({"reason": reason.value, "detail": detail}, index=detail.index)
