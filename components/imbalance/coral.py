"""Rank-consistent ordinal regression of the age: CORAL (Cao et al. 2020, arXiv 1901.07884)."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.age_shares import age_shares
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.REGRESSION,)

_START_SIGMA_YEARS = 2.0


class Settings(Section):
    """Rank-consistent ordinal regression of the age."""

    loss_factor: float = Field(
        default=0.03,
        gt=0,
        description="Factor on the published loss, a sum over all ages: without it the other outputs hardly train.",
    )


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Predict for every age the probability of being older."""
    from components.imbalance.heads.age_thresholds import AgeThresholds
    from components.imbalance.losses.coral import CORAL

    scale = faces.age_scale
    up_to = np.cumsum(age_shares(faces, _START_SIGMA_YEARS))[:-1]
    loss = CORAL(scale.max_age, age_target=scale.target, factor=settings.loss_factor)
    return Treatment(loss, AgeThresholds(scale, np.log((1 - up_to) / up_to)))
