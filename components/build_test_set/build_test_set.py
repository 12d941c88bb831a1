"""The balanced test set: the same number of faces from every gender × ethnicity × age-bin cell."""

import logging
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.build_test_set.settings import BuildTestSetSettings
from components.dataset.labels import CELL_COLUMNS, Labels
from components.dataset.manifest import Manifest
from components.dataset.summaries import CellCount, TestSetSummary
from components.errors import DataError

_log = logging.getLogger(__name__)

Counts = npt.NDArray[np.int64]

_CELLS_NAMED = 8
"""Most cells that an error names; the others are only counted."""


def build_test_set(
    manifest_path: str, settings: BuildTestSetSettings, test_path: str, pool_path: str, summary_path: str
) -> dict[str, Any]:
    """Draw the test set; what remains is the pool.

    Args:
        manifest_path: Manifest of every face.
        settings: The stage's settings.
        test_path: Manifest to write: the test set.
        pool_path: Manifest to write: the other faces. The two partition the manifest.
        summary_path: JSON to write: for each cell the number of faces in total, in the test set and in the
            pool; and the shortfalls.

    Returns:
        The numbers of faces in ``test`` and ``pool``, of ``cells`` and of cells with a ``shortfall``.

    Raises:
        DataError: If a cell has too few faces and no shortfall is allowed, or if a class has no face
            left in the pool. Nothing is written then.
    """
    manifest = Manifest.read(manifest_path)
    draw = draw_test_set(manifest, settings)
    short = np.flatnonzero(draw.taken < settings.faces_per_cell)
    if len(short) and not settings.allow_shortfall:
        raise _shortfall(draw, short, manifest.labels, settings)
    test, pool = manifest.subset(draw.in_test), manifest.subset(~draw.in_test)
    remedy = "lower build_test_set.faces_per_cell or use more faces"
    pool.require_every_class("is left outside the test set", remedy)
    about = {"stage": "build_test_set", "settings": settings.to_parameter()}
    for part, path in ((test, test_path), (pool, pool_path)):
        replace(part, made_by=about).write(path)
    summary = _summarise(manifest, draw, settings)
    summary.write(summary_path)
    _log.info(
        "test set: %(test)d faces, %(pool)d left in the pool, %(shortfall)d of %(cells)d cells short of faces",
        summary.facts,
    )
    for cell in summary.shortfalls:
        _log.info("test set: %d of %d faces of %s, %d left in the pool", cell.test, cell.faces, cell.cell, cell.pool)
    return summary.facts


@dataclass(frozen=True)
class Draw:
    """Which faces are in the test set.

    Attributes:
        in_test: One flag for each face, shape ``[faces]``.
        drawable: For each cell, the faces that may be drawn, shape ``[cells]``.
        taken: For each cell, the faces that were drawn, shape ``[cells]``.
    """

    in_test: npt.NDArray[np.bool_]
    drawable: Counts
    taken: Counts


def draw_test_set(manifest: Manifest, settings: BuildTestSetSettings) -> Draw:
    """Draw up to ``faces_per_cell`` faces from each cell at random, and leave it at least the ``training_reserve``.

    Copies of a face must not be on both sides, so a duplicate group is drawn whole or not at all. Faces without a copy
    come first; a group is drawn only where a cell would stay short without it, and one with faces in two cells only
    where even that is not enough, and only if the two are neighbours in age: other labels of the group conflict.
    """
    cells = manifest.cells()
    groups = manifest.faces["duplicate_group"].to_numpy()
    quota = np.clip(manifest.cell_counts() - settings.training_reserve, 0, settings.faces_per_cell)
    draw = _draw_within_cells(cells, groups, quota, settings.seed)
    between = _choose_between_cells(manifest, quota, quota - draw.taken, settings.seed)
    if between.any():
        counts = np.bincount(cells[between], minlength=len(quota))
        draw = _draw_within_cells(cells, groups, quota - counts, settings.seed)
        draw = Draw(draw.in_test | between, draw.drawable + counts, draw.taken + counts)
    return draw


def _choose_between_cells(manifest: Manifest, quota: Counts, lacking: Counts, seed: int) -> npt.NDArray[np.bool_]:
    """Return the faces to draw of groups that lie in two neighbouring age bins, shape ``[faces]``.

    Args:
        manifest: All faces.
        quota: Most faces to draw from each cell, shape ``[cells]``.
        lacking: Faces that each cell is short of, shape ``[cells]``.
        seed: Fixes the draw.
    """
    chosen = np.zeros(len(manifest), bool)
    cells = manifest.cells()
    groups = manifest.faces["duplicate_group"]
    codes = manifest.faces[list(CELL_COLUMNS)].groupby(groups)
    spread = codes.max() - codes.min()
    between = spread.index[(spread["age_bin"] == 1) & (spread.drop(columns="age_bin") == 0).all(axis=1)]
    helpful = groups[groups.isin(between) & (lacking[cells] > 0)].unique()
    for group in np.random.default_rng((seed, len(quota))).permutation(helpful):
        faces = (groups == group).to_numpy()
        counts = np.bincount(cells[faces], minlength=len(quota))
        if (counts <= quota).all() and (lacking[counts > 0] > 0).any():
            chosen |= faces
            quota, lacking = quota - counts, lacking - counts
    return chosen


def _draw_within_cells(cells: Counts, groups: Counts, quota: Counts, seed: int) -> Draw:
    """Draw up to a quota from each cell, of copies only groups that lie in one cell."""
    by_group = pd.Series(cells).groupby(groups)
    undivided = (by_group.transform("min") == by_group.transform("max")).to_numpy()
    size = by_group.transform("size").to_numpy()
    size_of = by_group.size()
    in_test = np.zeros(len(cells), bool)
    drawable = np.bincount(cells[undivided], minlength=len(quota))
    taken = np.zeros(len(quota), np.int64)
    by_cell = np.flatnonzero(undivided)
    by_cell = by_cell[np.argsort(cells[by_cell], kind="stable")]
    for cell, inside in enumerate(np.split(by_cell, np.cumsum(drawable)[:-1])):
        rng = np.random.default_rng((seed, cell))
        single = rng.permutation(inside[size[inside] == 1])
        copied = pd.unique(groups[inside[size[inside] > 1]])
        shuffled = rng.permutation(copied)
        sizes = dict(zip(shuffled.tolist(), size_of.loc[shuffled].tolist(), strict=True))
        chosen = _choose_groups(sizes, len(single), int(quota[cell]))
        in_test[inside[np.isin(groups[inside], chosen)]] = True
        in_test[single[: quota[cell] - sum(sizes[group] for group in chosen)]] = True
        taken[cell] = int(in_test[inside].sum())
    return Draw(in_test, drawable, taken)


def _choose_groups(sizes: dict[int, int], singles: int, wanted: int) -> list[int]:
    """Return the groups to draw so that, with the single faces, they make up ``wanted`` faces if possible.

    Among the choices that come closest to ``wanted``, the one with the fewest copies wins.
    """
    if singles >= wanted:
        return []
    # Every sum of group sizes that fits, with the first choice of groups that gives it.
    choices: dict[int, list[int]] = {0: []}
    for group, size in sizes.items():
        for total, chosen in list(choices.items()):
            if total + size <= wanted:
                choices.setdefault(total + size, [*chosen, group])
    best = min(choices, key=lambda total: (-min(total + singles, wanted), total))
    return choices[best]


def _shortfall(draw: Draw, short: npt.NDArray[np.intp], labels: Labels, settings: BuildTestSetSettings) -> DataError:
    named = "; ".join(f"{labels.cell_name(int(cell))}: {draw.taken[cell]}" for cell in short[:_CELLS_NAMED])
    more = f" and {len(short) - _CELLS_NAMED} more" if len(short) > _CELLS_NAMED else ""
    smallest = int(draw.taken.min())
    lower = f"lower build_test_set.faces_per_cell to {smallest}, " if smallest else ""
    reserve = settings.training_reserve
    left, less = (
        (f" and {reserve} to leave for training", "lower build_test_set.training_reserve, ") if reserve else ("", "")
    )
    return DataError(
        f"{len(short)} of the {len(draw.taken)} test cells have fewer than {settings.faces_per_cell} faces to draw"
        f"{left} ({named}{more})",
        remedy=f"{lower}{less}set build_test_set.allow_shortfall=true, or use more faces",
    )


def _summarise(manifest: Manifest, draw: Draw, settings: BuildTestSetSettings) -> TestSetSummary:
    faces = np.bincount(manifest.cells(), minlength=len(draw.taken))
    counts = zip(faces.tolist(), draw.drawable.tolist(), draw.taken.tolist(), strict=True)
    by_cell = tuple(
        CellCount(cell=manifest.labels.cell_name(cell), faces=total, drawable=drawable, test=test, pool=total - test)
        for cell, (total, drawable, test) in enumerate(counts)
    )
    shortfalls = tuple(count for count in by_cell if count.test < settings.faces_per_cell)
    return TestSetSummary(
        test=int(draw.in_test.sum()),
        pool=int((~draw.in_test).sum()),
        cells=len(by_cell),
        shortfall=len(shortfalls),
        faces_per_cell=settings.faces_per_cell,
        training_reserve=settings.training_reserve,
        by_cell=by_cell,
        shortfalls=shortfalls,
    )
