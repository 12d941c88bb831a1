"""Balanced MSE by batch-based Monte Carlo, BMC (Ren et al. 2022, arXiv 2203.16427)."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.REGRESSION,)


class Settings(Section):
    """Balanced MSE with batch-based Monte Carlo (BMC)."""

    noise_sigma_years: float = Field(
        default=8.0,
        gt=0,
        description="Noise scale, in years; about the size of the model's error. On the logarithm of the age it "
        "is divided by the mean training age.",
    )


def noise_sigma(faces: TrainingFaces, sigma_years: float) -> float:
    """Return a noise scale in years in the unit of the age head."""
    if faces.age_scale.target == "log_age":
        # d log(age) = d age / age, taken at the mean training age.
        return sigma_years / float(np.average(faces.ages, weights=faces.draws))
    return sigma_years / faces.age_scale.max_age


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train the age with balanced MSE, with the noise scale converted to the unit of the age head."""
    from components.imbalance.losses.balanced_mse import BalancedMSE

    sigma = noise_sigma(faces, settings.noise_sigma_years)
    details = {"noise_sigma": sigma, "noise_sigma_years": settings.noise_sigma_years}
    return Treatment(loss=BalancedMSE(sigma), details=details)
