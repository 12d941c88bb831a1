"""No cure: the plain losses, and every face once an epoch."""

from typing import Any

import keras
import numpy as np

from components.dataset.manifest import Manifest
from components.imbalance.settings import ImbalanceSettings
from components.imbalance.treatment import Resampling, TrainingFaces, Treatment


def treat_age(faces: TrainingFaces, output: str, settings: ImbalanceSettings) -> Treatment:
    """Change nothing."""
    del faces, output, settings
    return Treatment()


treat_class = treat_age


def resample(train: Manifest, settings: ImbalanceSettings) -> Resampling:
    """Use every face once an epoch."""
    del settings
    return Resampling(np.arange(len(train)))


def plain_loss(output: str) -> Any:
    """Return an output's loss without any cure.

    Mean absolute error for age, on the scale of the age head; cross-entropy of logits for gender
    (binary) and ethnicity (sparse).
    """
    if output == "age":
        return keras.losses.MeanAbsoluteError()
    if output == "gender":
        return keras.losses.BinaryCrossentropy(from_logits=True)
    return keras.losses.SparseCategoricalCrossentropy(from_logits=True)
