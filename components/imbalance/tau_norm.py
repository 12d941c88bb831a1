"""Normalised class weights: tau-normalisation (Kang et al. 2020, arXiv 1910.09217)."""

from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

# A single logit has no other class's weights to be compared with.
TREATS = (Kind.CATEGORICAL,)


class Settings(Section):
    """Normalised class weights."""

    tau: float = Field(
        default=1.0,
        ge=0,
        le=1,
        description="Exponent of the norm that a class's weights are divided by; 0 only drops the biases.",
    )


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output plainly; afterwards, equalise the norms of its classes' weights and drop the biases.

    The weights of common classes have grown longer than those of rare ones, which makes them the likelier answer
    whatever the face.
    """
    return Treatment(norm_power=settings.tau, prior_known=False)
