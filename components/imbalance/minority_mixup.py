"""Mixup of faces as they are with minority faces: Balanced-MixUp (Galdran et al. 2021, arXiv 2109.09850)."""

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
    """Mixup with minority faces."""

    balance: Literal["class", "cell"] = Field(
        default="class",
        description="What the faces that are mixed in show equally often: the ethnicity classes, as the authors do, or "
        "the gender × ethnicity × age-bin cells.",
    )
    alpha: float = Field(
        default=0.2,
        gt=0,
        description="The share of the face that is mixed in follows Beta(alpha, 1); its mean is alpha / (1 + alpha).",
    )


def resample(train: "Manifest", settings: Settings) -> Resampling:
    """Use every face once per epoch, and mix a face that is drawn more often the rarer it is into each.

    Small shares are the likely ones: a rare face is seen many times, mostly as a tint of another, and so is hard to
    learn by heart.
    """
    codes = train.cells() if settings.balance == "cell" else train.faces[FOCUS.name].to_numpy(np.int64)
    probabilities = cell_probabilities(codes, power=0.0)
    mixing = Mixing(probabilities, kind="blend", share=(settings.alpha, 1.0))
    details = {"most_draws_as_partner": float(probabilities.max() * len(train))}
    return Resampling(np.arange(len(train)), mixing=mixing, details=details)
