"""Ranking similarity of ages and features: RankSim (Gong et al. 2022, arXiv 2205.15236)."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.REGRESSION,)


class Settings(Section):
    """Ranking similarity of ages and features."""

    weight: float = Field(
        default=1.0, ge=0, description="Weight of the squared difference of the ranks beside the age error."
    )
    interpolation: float = Field(
        default=2.0, gt=0, description="How far similarities are moved to see how their ranks change."
    )


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train the age so that faces of close ages have close features."""
    from components.imbalance.heads.age_with_features import AgeWithFeatures
    from components.imbalance.losses.ranksim import RankSim

    start = float(np.average(faces.age_scale.encode(faces.ages), weights=faces.draws))
    loss = RankSim(settings.weight, interpolation=settings.interpolation)
    return Treatment(loss, AgeWithFeatures(faces.age_scale, start))
