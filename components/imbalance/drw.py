"""Deferred re-weighting (Cao et al. 2019): class-balanced weights in the last epochs only."""

from components.imbalance.class_balanced import class_balanced_faces
from components.imbalance.settings import ImbalanceSettings
from components.imbalance.treatment import TrainingFaces, Treatment


def treat_class(faces: TrainingFaces, output: str, settings: ImbalanceSettings) -> Treatment:
    """Weigh an output's faces by their class in the last epochs (arXiv 1906.07413)."""
    weights, by_class = class_balanced_faces(faces, output, settings.drw.beta, "drw")
    return Treatment(
        deferred_weights=weights,
        deferred_fraction=settings.drw.fraction,
        statistics={"deferred_class_weights": by_class},
    )
