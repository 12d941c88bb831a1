"""Inverse number of samples: every group of an output has the same total weight."""

import numpy as np

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment

TREATS = tuple(Kind)


def treat(faces: TrainingFaces, output: Output, settings: None) -> Treatment:
    """Weight each face by 1 / (faces of its group): its class, or its age bin for the age.

    An age bin without faces just carries no weight; a class without faces is an error.
    """
    counts = faces.class_counts(output, "ins") if output.is_classified else faces.counts(output)
    weights = faces.normalise(1.0 / counts[faces.groups(output)])
    present, first = np.unique(faces.groups(output), return_index=True)
    names = faces.group_names(output)
    by_group = {names[group]: float(weights[row]) for group, row in zip(present, first, strict=True)}
    return Treatment(weights=weights, details={"group_weights": by_group})
