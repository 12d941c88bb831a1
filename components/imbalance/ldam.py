"""Label-distribution-aware margins: LDAM (Cao et al. 2019, arXiv 1906.07413)."""

from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Label-distribution-aware margins."""

    max_margin: float = Field(default=0.5, ge=0, description="Margin of the rarest class, in logits.")
    scale: float = Field(default=1.0, gt=0, description="Factor on the logits after the margin. The authors use 30.")


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output with LDAM, with margins from the training counts."""
    from components.imbalance.losses.ldam import LDAM

    loss = LDAM(faces.class_counts(output, "ldam").tolist(), **settings.model_dump())
    # The logits of a scaled loss carry the prior divided by the scale.
    prior_known = settings.scale == 1
    return Treatment(loss=loss, prior_known=prior_known, details={"margins": faces.name_groups(output, loss.margins)})
