"""Classifier re-training: cRT (Kang et al. 2020, arXiv 1910.09217)."""

from typing import TYPE_CHECKING, Literal

import numpy as np
from pydantic import Field

from components.dataset.outputs import FOCUS
from components.imbalance.cell_balanced import cell_probabilities
from components.imbalance.treatment import Resampling, Retraining
from components.section import Section

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest


class Settings(Section):
    """Classifier re-training."""

    balance: Literal["class", "cell"] = Field(
        default="cell",
        description="What the second stage draws equally often: the ethnicity classes, as the authors do, or the "
        "gender × ethnicity × age-bin cells, since the heads of all outputs are trained again.",
    )
    epochs: int = Field(default=5, ge=1, description="Epochs of the second stage, beyond those of the training.")
    learning_rate: float = Field(
        default=3e-3, gt=0, description="Learning rate of the second stage at its start; it decays to zero as a cosine."
    )


def resample(train: "Manifest", settings: Settings) -> Resampling:
    """Train on every face once per epoch; then train new heads, everything else frozen, on balanced draws.

    The first stage learns features from the faces as they are, which is where the authors found them best; only what
    decides on these features sees balanced classes.
    """
    codes = train.cells() if settings.balance == "cell" else train.faces[FOCUS.name].to_numpy(np.int64)
    probabilities = cell_probabilities(codes, power=0.0)
    retraining = Retraining(probabilities, settings.epochs, settings.learning_rate)
    details = {"second_stage_most_draws": float(probabilities.max() * len(train))}
    return Resampling(np.arange(len(train)), retraining=retraining, details=details)
