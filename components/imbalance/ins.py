"""Inverse number of samples: every group of an output weighs the same in total."""

import numpy as np

from components.imbalance.settings import ImbalanceSettings
from components.imbalance.treatment import TrainingFaces, Treatment


def treat_age(faces: TrainingFaces, output: str, settings: ImbalanceSettings) -> Treatment:
    """Weigh each face by 1 / (faces of its group): its class, or its age bin for the age.

    An age bin without any face carries no weight and is no error; a class without any is.
    """
    del settings
    counts = faces.counts(output) if output == "age" else faces.class_counts(output, "ins")
    weights = faces.normalise(1.0 / counts[faces.groups(output)])
    present, first = np.unique(faces.groups(output), return_index=True)
    names = faces.group_names(output)
    by_group = {names[group]: float(weights[row]) for group, row in zip(present, first, strict=True)}
    return Treatment(weights=weights, statistics={"group_weights": by_group})


treat_class = treat_age
