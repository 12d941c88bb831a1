"""Balanced MSE by bin-based numerical integration, BNI (Ren et al. 2022, arXiv 2203.16427)."""

from typing import Literal

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance import balanced_mse
from components.imbalance.treatment import FloatArray, TrainingFaces, Treatment

TREATS = (Kind.REGRESSION,)


class Settings(balanced_mse.Settings):
    """Balanced MSE with bin-based numerical integration (BNI), a bin for each age."""

    uniform_in: Literal["years", "target"] = Field(
        default="years",
        description="Unit in which the ages that it trains for are uniform: 'years', or the one of the age head.",
    )


def age_masses(faces: TrainingFaces, uniform_in: Literal["years", "target"]) -> tuple[FloatArray, FloatArray]:
    """Return the training targets that occur, in the unit of the age head, and their masses, which sum to 1.

    The balanced MSE divides the density of the training targets by a uniform one. On the logarithm of the age,
    ages that are uniform in years have a density in proportion to the age: there a face counts 1 / age.
    """
    weights = faces.draws / faces.ages if (uniform_in, faces.age_scale.target) == ("years", "log_age") else faces.draws
    ages, rows = np.unique(faces.ages, return_inverse=True)
    masses = np.bincount(rows, weights)
    return faces.age_scale.encode(ages).astype(np.float64), masses / masses.sum()


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train the age with balanced MSE, against the training faces of each age."""
    from components.imbalance.losses.balanced_mse_bni import BalancedMSEBNI

    targets, masses = age_masses(faces, settings.uniform_in)
    sigma = balanced_mse.noise_sigma(faces, settings.noise_sigma_years)
    loss = BalancedMSEBNI(sigma, targets.tolist(), masses.tolist())
    return Treatment(loss, details={"noise_sigma": sigma, "noise_sigma_years": settings.noise_sigma_years})
