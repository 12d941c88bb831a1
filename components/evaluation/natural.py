"""What a score on the balanced test set means for the population that the data came from."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.dataset.manifest import Manifest
from components.errors import DataError


@dataclass(frozen=True)
class NaturalPopulation:
    """Weights that turn the balanced test set into an estimate for the natural population.

    Post-stratification: a metric's sums are taken per cell and weighted with the cell's share in the
    data before the test set was drawn. A cell of the population without a test face can't be
    estimated: it is left out and named, and the others are scaled up.

    Attributes:
        shares: Weight of each cell, shape ``[cells]``, sum 1, 0 where the test set has no face.
        population: Faces of each cell in the data, shape ``[cells]``.
        covered_share: Share of the population in cells that the test set covers.
        absent_cells: Names of the population's cells that the test set lacks.
    """

    shares: npt.NDArray[np.float64]
    population: npt.NDArray[np.int64]
    covered_share: float
    absent_cells: tuple[str, ...]


def natural_population(manifest: Manifest, test_cells: npt.NDArray[np.integer]) -> NaturalPopulation:
    """Return the population's share of each cell.

    Args:
        manifest: The data before the test set was drawn.
        test_cells: Cell of each test face, shape ``[test faces]``.

    Raises:
        DataError: If no face of the manifest is in a cell of the test set.
    """
    labels = manifest.labels
    population = np.bincount(manifest.cells(), minlength=labels.cell_count)
    tested = np.bincount(test_cells, minlength=labels.cell_count) > 0
    covered = np.where(tested, population, 0)
    if not covered.sum():
        remedy = "compare runs with the manifest they came from"
        raise DataError("The manifest and the test set have no cell in common", remedy=remedy)
    absent = tuple(labels.cell_name(int(cell)) for cell in np.flatnonzero((population > 0) & ~tested))
    return NaturalPopulation(
        shares=covered / covered.sum(),
        population=population,
        covered_share=float(covered.sum() / population.sum()),
        absent_cells=absent,
    )
