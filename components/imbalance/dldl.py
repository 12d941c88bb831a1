"""Label distribution learning of the age: DLDL-v2 (Gao et al. 2018, IJCAI, doi 10.24963/ijcai.2018/99)."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.age_shares import age_shares
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.REGRESSION,)


class Settings(Section):
    """Label distribution learning of the age."""

    sigma: float = Field(
        default=2.0, gt=0, description="Standard deviation, in years, of the distribution around the true age."
    )
    l1_weight: float = Field(default=1.0, ge=0, description="Weight of the error of the expected age, per year.")
    tau: float = Field(
        default=0.0,
        ge=0,
        description="Strength of the adjustment by the training shares of the ages: 0 for none, as published; 1 "
        "predicts as if all ages were equally common.",
    )
    loss_factor: float = Field(
        default=0.05,
        gt=0,
        description="Factor on the published loss, which is in years: without it the other outputs hardly train.",
    )


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Predict a probability for each age, adjusted by how common the ages are where the settings ask for it."""
    from components.imbalance.heads.age_distribution import AgeDistribution
    from components.imbalance.losses.dldl import DLDL

    log_shares = np.log(age_shares(faces, settings.sigma))
    offset = settings.tau * log_shares
    loss = DLDL(
        faces.age_scale.max_age,
        age_target=faces.age_scale.target,
        sigma=settings.sigma,
        l1_weight=settings.l1_weight,
        offset=offset.tolist() if settings.tau else None,
        factor=settings.loss_factor,
    )
    # Together with the offset, training starts from the shares of the ages.
    return Treatment(loss, AgeDistribution(faces.age_scale, log_shares - offset))
