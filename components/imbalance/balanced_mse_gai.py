"""Balanced MSE by a Gaussian mixture of the targets in closed form, GAI (Ren et al. 2022, arXiv 2203.16427)."""

from typing import Any

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance import balanced_mse, balanced_mse_bni
from components.imbalance.treatment import FloatArray, TrainingFaces, Treatment

TREATS = (Kind.REGRESSION,)

_SAMPLES = 20_000


class Settings(balanced_mse_bni.Settings):
    """Balanced MSE with a Gaussian mixture of the training ages (GAI)."""

    mixture_components: int = Field(default=8, ge=1, description="Number of components of the mixture.")


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train the age with balanced MSE, against a Gaussian mixture of the training ages."""
    from components.imbalance.losses.balanced_mse_gai import BalancedMSEGAI

    mixture = _fit_mixture(*balanced_mse_bni.age_masses(faces, settings.uniform_in), settings.mixture_components)
    sigma = balanced_mse.noise_sigma(faces, settings.noise_sigma_years)
    details = {"noise_sigma": sigma, "noise_sigma_years": settings.noise_sigma_years, "mixture": mixture}
    return Treatment(BalancedMSEGAI(sigma, **mixture), details=details)


def _fit_mixture(targets: FloatArray, masses: FloatArray, components: int) -> dict[str, Any]:
    """Return means, variances and shares of a Gaussian mixture of targets that occur as often as their masses say."""
    from sklearn.mixture import GaussianMixture

    # scikit-learn's mixture takes no weights: every target is repeated in proportion to its mass.
    sample = np.repeat(targets, np.ceil(masses * _SAMPLES).astype(np.int64))[:, None]
    # Ages are whole: a component could shrink to one of them, and the lower limit keeps it a year or so wide.
    narrowest = (np.diff(targets).min() if len(targets) > 1 else 1.0) ** 2
    mixture = GaussianMixture(min(components, len(targets)), reg_covar=narrowest, random_state=0).fit(sample)
    order = np.argsort(mixture.means_[:, 0])
    return {
        "means": mixture.means_[order, 0].tolist(),
        "variances": mixture.covariances_[order, 0, 0].tolist(),
        "shares": mixture.weights_[order].tolist(),
    }
