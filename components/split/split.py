"""Train and validation: the pool divided within each cell, copies never separated."""

import logging
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset.manifest import Manifest
from components.errors import DataError
from components.split.settings import SplitSettings

_log = logging.getLogger(__name__)

Counts = npt.NDArray[np.int64]


def split(pool_path: str, settings: SplitSettings, train_path: str, validation_path: str) -> dict[str, Any]:
    """Divide the pool into train and validation.

    Args:
        pool_path: Manifest of the faces outside the test set.
        settings: The stage's settings.
        train_path: Manifest to write.
        validation_path: Manifest to write. The two partition the pool.

    Returns:
        The numbers of faces in ``train`` and ``validation``.

    Raises:
        DataError: If training or validation, or a class in training, would have no faces. Nothing
            is written then.
    """
    pool = Manifest.read(pool_path)
    validates = choose_validation(pool, settings)
    train, validation = pool.subset(~validates), pool.subset(validates)
    _check(pool, train, validation)
    about = {"stage": "split", "settings": settings.to_parameter()}
    for part, path in ((train, train_path), (validation, validation_path)):
        replace(part, made_by=about).write(path)
    facts = {"train": len(train), "validation": len(validation)}
    _log.info("split: %d faces for training, %d for validation", *facts.values())
    if len(unseen := np.flatnonzero(train.cell_counts() == 0)):
        named = "; ".join(train.labels.cell_name(int(cell)) for cell in unseen)
        _log.warning("split: %d of %d cells have no training face: %s", len(unseen), train.labels.cell_count, named)
    return facts


def choose_validation(pool: Manifest, settings: SplitSettings) -> npt.NDArray[np.bool_]:
    """Return which faces are for validation, shape ``[faces]``.

    Each gender × ethnicity × age-bin cell gets its share by the method of largest remainders, so all
    cells together give round(fraction · faces) and each is less than one face from its exact share.
    Duplicate groups are placed first, whole; faces without a copy then make up the rest. A cell
    that has too few of those may miss its share by at most the size of its largest group.
    """
    rng = np.random.default_rng(settings.seed)
    cells = pool.cells()
    groups = pool.faces["duplicate_group"].to_numpy()
    quota = largest_remainders(np.bincount(cells, minlength=pool.labels.cell_count), settings.validation_fraction, rng)
    copied = pd.Series(groups).duplicated(keep=False).to_numpy()
    validates = _place_groups(cells, groups, copied, quota, settings.validation_fraction, rng)
    missing = quota - np.bincount(cells[validates], minlength=len(quota))
    single = rng.permutation(np.flatnonzero(~copied))
    rank = pd.Series(cells[single]).groupby(cells[single]).cumcount().to_numpy()
    validates[single[rank < missing[cells[single]]]] = True
    return validates


def largest_remainders(counts: Counts, fraction: float, rng: np.random.Generator) -> Counts:
    """Return each cell's share in faces, together round(fraction · counts.sum()).

    Every cell gets its exact share rounded down; the cells with the largest remainders get one more.
    Ties are broken at random.

    Args:
        counts: Faces in each cell, shape ``[cells]``.
        fraction: Share of the whole.
        rng: Breaks ties.
    """
    exact = counts * fraction
    # A share such as 0.2 × 15 is a whole number that floating point misses by an ulp.
    whole: Counts = np.floor(exact + 1e-9).astype(np.int64)
    remainder = np.round(exact - whole, 9)
    left = round(fraction * int(counts.sum())) - int(whole.sum())
    order = np.lexsort((rng.random(len(counts)), -remainder))
    whole[order[: max(left, 0)]] += 1
    return whole


def _place_groups(
    cells: npt.NDArray[np.intp],
    groups: npt.NDArray[np.int32],
    copied: npt.NDArray[np.bool_],
    quota: Counts,
    fraction: float,
    rng: np.random.Generator,
) -> npt.NDArray[np.bool_]:
    """Return which faces go to validation with their whole group, shape ``[faces]``.

    In random order, a group goes to validation if that brings its cells nearer to their share of the
    groups seen so far and no cell above its quota.
    """
    validates = np.zeros(len(cells), bool)
    seen = np.zeros(len(quota))
    placed = np.zeros(len(quota), np.int64)
    # Sorted by group, each group is a slice of its faces and, counted by cell, a slice of its cells.
    rows = np.flatnonzero(copied)
    rows = rows[np.argsort(groups[rows], kind="stable")]
    names, number = np.unique(groups[rows], return_inverse=True)
    pairs, all_counts = np.unique(number * len(quota) + cells[rows], return_counts=True)
    all_touched = pairs % len(quota)
    bounds = np.arange(len(names) + 1)
    row_bounds = np.searchsorted(number, bounds).tolist()
    cell_bounds = np.searchsorted(pairs // len(quota), bounds).tolist()
    for position in rng.permutation(len(names)).tolist():
        faces = rows[row_bounds[position] : row_bounds[position + 1]]
        part = slice(cell_bounds[position], cell_bounds[position + 1])
        touched, counts = all_touched[part], all_counts[part]
        seen[touched] += fraction * counts
        before = seen[touched] - placed[touched]
        nearer = np.square(before - counts).sum() < np.square(before).sum()
        if nearer and (placed[touched] + counts <= quota[touched]).all():
            placed[touched] += counts
            validates[faces] = True
    return validates


def _check(pool: Manifest, train: Manifest, validation: Manifest) -> None:
    for part, name in ((train, "training"), (validation, "validation")):
        if len(part) == 0:
            problem = f"The {len(pool)} faces of the pool leave none for {name}"
            raise DataError(problem, remedy="use more faces, or change split.validation_fraction")
    remedy = "use more faces, lower build_test_set.faces_per_cell or lower split.validation_fraction"
    train.require_every_class("is left for training", remedy)
