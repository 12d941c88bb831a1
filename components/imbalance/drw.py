"""Deferred re-weighting (Cao et al. 2019, arXiv 1906.07413): class-balanced weights in the last epochs only."""

from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance import class_balanced
from components.imbalance.treatment import TrainingFaces, Treatment

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(class_balanced.Settings):
    """Deferred re-weighting with class-balanced weights."""

    fraction: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the epochs, at the end, that are re-weighted."
    )


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Weight an output's faces by their class in the last epochs."""
    weights, by_class = class_balanced.weigh_faces(faces, output, settings.beta, "drw")
    details = {"deferred_class_weights": by_class}
    return Treatment(deferred_weights=weights, deferred_fraction=settings.fraction, details=details)
