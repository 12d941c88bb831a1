"""A sampler that draws the gender × ethnicity × age-bin cells more evenly than the faces fill them."""

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
from pydantic import Field

from components.imbalance.treatment import FloatArray, Resampling
from components.section import Section

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest


class Settings(Section):
    """Sampling by cell."""

    power: float = Field(
        default=0.0,
        ge=0,
        le=1,
        description="A cell is drawn in proportion to its faces to this power: 0 draws all cells equally often, "
        "0.5 by the square root, 1 every face equally often.",
    )
    most_draws: float | None = Field(
        default=None,
        ge=1,
        description="Largest expected number of draws of one face in an epoch; what it cuts goes to the other faces in "
        "proportion. None sets no limit.",
    )


def cell_probabilities(cells: npt.NDArray[np.int64], power: float, most_draws: float | None = None) -> FloatArray:
    """Return the probability of drawing each face, shape ``[faces]``, summing to 1.

    A cell of n faces is drawn in proportion to n^power, each of its faces equally often (section 4.1 of Kang et al.
    2020, arXiv 1910.09217; the square root is that of Mahajan et al. 2018, arXiv 1805.00932).

    Args:
        cells: Cell of each face, shape ``[faces]``.
        power: Exponent, 0 to 1.
        most_draws: Largest expected number of draws of one face in as many draws as there are faces, at least
            1; None for no limit.
    """
    sizes = np.bincount(cells)
    shares = sizes[sizes > 0] ** power
    probabilities = sizes[cells] ** power / (sizes[cells] * shares.sum())
    probabilities = probabilities / probabilities.sum()
    return probabilities if most_draws is None else cap(probabilities, most_draws / len(cells))


def cap(probabilities: FloatArray, largest: float) -> FloatArray:
    """Return probabilities of which none exceeds ``largest``: those below it are scaled by one common factor.

    Args:
        probabilities: Shape ``[faces]``, summing to 1.
        largest: At least ``1 / faces``.
    """
    descending = np.sort(probabilities)[::-1]
    rest = 1 - np.concatenate([[0.0], np.cumsum(descending)[:-1]])
    # With the k likeliest faces at the limit, the others share what is left; the first k for which they all fit holds.
    factors = (1 - largest * np.arange(len(descending))) / rest
    capped = int(np.argmax(factors * descending <= largest * (1 + 1e-12)))
    return np.asarray(np.minimum(probabilities * factors[capped], largest), np.float64)


def resample(train: "Manifest", settings: Settings) -> Resampling:
    """Draw cells in proportion to a power of their size, and each face within a cell equally often.

    An epoch has as many draws as there are faces. The training priors are no longer those of
    the faces but those of the draws: with a power of 0, a class's share is its share of the non-empty cells,
    which is equal for all classes only where no cell is empty.
    """
    cells = train.cells()
    sizes = np.bincount(cells, minlength=train.labels.cell_count)
    filled = np.flatnonzero(sizes)
    probabilities = cell_probabilities(cells, settings.power, settings.most_draws)
    details = {
        "cells": len(filled),
        "empty_cells": [train.labels.cell_name(int(cell)) for cell in np.flatnonzero(sizes == 0)],
        "smallest_cell": int(sizes[filled].min()),
        "most_draws": float(probabilities.max() * len(train)),
    }
    return Resampling(np.arange(len(train)), probabilities, details=details)
