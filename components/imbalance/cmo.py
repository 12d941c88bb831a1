"""Minority faces pasted into other faces: CMO (Park et al. 2022, arXiv 2112.00412)."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from components.dataset.outputs import FOCUS
from components.imbalance.cell_balanced import cell_probabilities
from components.imbalance.treatment import Mixing, Resampling
from components.section import Section

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest


class Settings(Section):
    """Minority faces pasted into other faces."""

    balance: Literal["class", "cell"] = Field(
        default="class",
        description="What the pasted faces show equally often: the ethnicity classes, as the authors do, or the "
        "gender × ethnicity × age-bin cells.",
    )
    chance: float = Field(default=0.5, gt=0, le=1, description="Probability that a batch is mixed.")
    alpha: float = Field(
        default=1.0,
        gt=0,
        description="Both parameters of the Beta distribution of the pasted share; 1 makes all shares equally likely.",
    )
    unmixed_fraction: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description="Share of the epochs, at the end, that paste nothing; in the authors' code the last 3.",
    )


def resample(train: "Manifest", settings: Settings) -> Resampling:
    """Use every face once per epoch, and paste a box of a face that is drawn more often the rarer it is into each.

    As in the authors' code, a face is drawn to be pasted with a weight of 1 / (faces of its class): what is rare gets
    the varied surroundings of what is not. That code also pastes nothing in the first four epochs.
    """
    codes = train.cells() if settings.balance == "cell" else train.faces[FOCUS.name].to_numpy(np.int64)
    probabilities = cell_probabilities(codes, power=0.0)
    mixing = Mixing(
        probabilities,
        kind="paste",
        share=(settings.alpha, settings.alpha),
        chance=settings.chance,
        unmixed_fraction=settings.unmixed_fraction,
    )
    details = {"most_draws_as_partner": float(probabilities.max() * len(train))}
    return Resampling(np.arange(len(train)), mixing=mixing, details=details)
