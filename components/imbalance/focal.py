"""Focal loss (Lin et al. 2017, arXiv 1708.02002)."""

from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Focal loss."""

    gamma: float = Field(default=2.0, ge=0, description="Focusing exponent; 0 is cross-entropy.")


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output with the focal loss."""
    from components.imbalance.losses.focal import Focal

    # Focusing flattens the probabilities at the optimum: dividing out the whole prior would over-correct.
    return Treatment(loss=Focal(settings.gamma), prior_known=settings.gamma == 0)
