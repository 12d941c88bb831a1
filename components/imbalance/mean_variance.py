"""Mean-variance loss of the age (Pan et al. 2018, CVPR, doi 10.1109/CVPR.2018.00554)."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.age_shares import age_shares
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.REGRESSION,)

_START_SIGMA_YEARS = 2.0


class Settings(Section):
    """Mean-variance loss of the age."""

    mean_weight: float = Field(
        default=0.2, ge=0, description="Weight of the squared error of the expected age, per square year."
    )
    variance_weight: float = Field(
        default=0.05, ge=0, description="Weight of the variance of the predicted distribution, per square year."
    )
    loss_factor: float = Field(
        default=0.02,
        gt=0,
        description="Factor on the published loss, which is in square years: without it the other outputs hardly "
        "train.",
    )


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Predict a probability for each age, concentrated around the true one."""
    from components.imbalance.heads.age_distribution import AgeDistribution
    from components.imbalance.losses.mean_variance import MeanVariance

    loss = MeanVariance(
        faces.age_scale.max_age,
        age_target=faces.age_scale.target,
        mean_weight=settings.mean_weight,
        variance_weight=settings.variance_weight,
        factor=settings.loss_factor,
    )
    return Treatment(loss, AgeDistribution(faces.age_scale, np.log(age_shares(faces, _START_SIGMA_YEARS))))
