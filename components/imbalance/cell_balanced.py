"""A sampler that draws every gender × ethnicity × age-bin cell equally often."""

from typing import TYPE_CHECKING

import numpy as np

from components.imbalance.treatment import Resampling

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest


def resample(train: "Manifest", settings: None) -> Resampling:
    """Draw each non-empty cell with equal probability, and each face within a cell likewise.

    An epoch has as many draws as there are faces. The training priors are no longer those of
    the faces but those of the draws: a class's share is its share of the non-empty cells, which is equal
    for all classes only where no cell is empty.
    """
    cells = train.cells()
    sizes = np.bincount(cells, minlength=train.labels.cell_count)
    filled = np.flatnonzero(sizes)
    probabilities = 1.0 / (sizes[cells] * len(filled))
    empty = [train.labels.cell_name(int(cell)) for cell in np.flatnonzero(sizes == 0)]
    details = {"cells": len(filled), "empty_cells": empty, "smallest_cell": int(sizes[filled].min())}
    return Resampling(np.arange(len(train)), probabilities / probabilities.sum(), details)
