"""Group distributionally robust optimisation: group DRO (Sagawa et al. 2020, arXiv 1911.08731)."""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from components.imbalance.cell_balanced import cell_probabilities
from components.imbalance.treatment import Resampling
from components.section import Section

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest


class Settings(Section):
    """Group DRO over the gender × ethnicity × age-bin cells."""

    step: float = Field(
        default=0.01,
        gt=0,
        description="Step by which a cell's weight grows with its loss, the authors' η of the groups.",
    )


def resample(train: "Manifest", settings: Settings) -> Resampling:
    """Draw every cell equally often, as the authors' algorithm does, and let its weight follow its loss."""
    probabilities = cell_probabilities(train.cells(), power=0.0)
    details = {"most_draws": float(probabilities.max() * len(train))}
    return Resampling(np.arange(len(train)), probabilities, group_step=settings.step, details=details)
