"""How common each age is in training, for the cures that predict a probability for each."""

import numpy as np

from components.imbalance.treatment import FloatArray, TrainingFaces


def age_shares(faces: TrainingFaces, sigma_years: float) -> FloatArray:
    """Return the share of each age from 1 to the highest, all above 0, shape ``[ages]``.

    Every face is spread over the ages around its own by a normal distribution, as in a label distribution, and one
    face more is spread over all ages alike, so that an age far from any face has a share too.

    Args:
        faces: The training faces; each counts as often as it is drawn.
        sigma_years: Standard deviation of the spread, in years.
    """
    ages = np.arange(1, faces.age_scale.max_age + 1)
    present, rows = np.unique(faces.ages, return_inverse=True)
    spread = np.exp(-((ages - present[:, None]) ** 2) / (2 * sigma_years**2))
    spread /= spread.sum(axis=1, keepdims=True)
    masses = np.bincount(rows, faces.draws) @ spread + 1 / len(ages)
    return np.asarray(masses / masses.sum(), np.float64)
