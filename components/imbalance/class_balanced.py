"""Class-balanced weights (Cui et al. 2019)."""

import numpy as np
import numpy.typing as npt
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import FloatArray, TrainingFaces, Treatment, require_every_class
from components.section import Section

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Class-balanced weights."""

    beta: float = Field(
        default=0.9999, ge=0, lt=1, description="0 weights all classes equally; towards 1, by inverse counts."
    )


def class_balanced_weights(class_counts: npt.ArrayLike, beta: float = 0.9999) -> FloatArray:
    """Return the weight of each class: the inverse of its effective number of faces, scaled to a mean of 1.

    The effective number of n faces is (1 − beta^n) / (1 − beta) (arXiv 1901.05555).

    Raises:
        DataError: If a class has no face.
    """
    require_every_class(class_counts, "class_balanced")
    counts = np.asarray(class_counts, np.float64)
    weights = (1.0 - beta) / (1.0 - beta**counts)
    return np.asarray(weights * (len(counts) / weights.sum()), np.float64)


def weigh_faces(faces: TrainingFaces, output: Output, beta: float, cure: str) -> tuple[FloatArray, dict[str, float]]:
    """Return the class-balanced weight of every face, mean 1, and of every class by name.

    Raises:
        DataError: If a class has no face; names the cure that needs one.
    """
    # A mean of 1 over the faces makes Keras's mean of weighted losses that of the authors' code in expectation:
    # theirs divides by the weights of each batch.
    by_class = class_balanced_weights(faces.class_counts(output, cure), beta)
    return faces.normalise(by_class[faces.groups(output)]), faces.name_groups(output, by_class)


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Weight an output's faces by their class from the first epoch on."""
    weights, by_class = weigh_faces(faces, output, settings.beta, "class_balanced")
    return Treatment(weights=weights, details={"class_weights": by_class})
