"""Label-distribution-aware margins: LDAM (Cao et al. 2019, arXiv 1906.07413)."""

from typing import Literal

from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Label-distribution-aware margins."""

    head: Literal["linear", "cosine"] = Field(
        default="linear",
        description="'cosine' takes the logits from cosines between unit features and unit weights, as the authors do.",
    )
    max_margin: float = Field(
        default=0.5, ge=0, description="Margin of the rarest class, in logits; in cosines with the cosine head."
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        description="Factor on the logits after the margin; with the cosine head it is part of the logits. "
        "The authors use 30.",
    )
    loss_factor: float = Field(
        default=1.0,
        gt=0,
        description="Factor on the loss: at scale 30 it starts at about ten times the plain loss, and the other "
        "outputs hardly train.",
    )


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output with LDAM, with margins from the training counts."""
    from components.imbalance.heads.cosine import Cosine
    from components.imbalance.losses.ldam import LDAM, ldam_margins

    counts = faces.class_counts(output, "ldam").tolist()
    details = {"margins": faces.name_groups(output, ldam_margins(counts, settings.max_margin))}
    if settings.head == "cosine":
        # scale · (cosine − margin) is the logit minus a margin that is scale times as large.
        loss = LDAM(counts, max_margin=settings.scale * settings.max_margin, factor=settings.loss_factor)
        return Treatment(loss, Cosine(len(counts), settings.scale), prior_known=False, details=details)
    loss = LDAM(counts, max_margin=settings.max_margin, scale=settings.scale, factor=settings.loss_factor)
    # The logits of a scaled loss carry the prior divided by the scale.
    return Treatment(loss, prior_known=settings.scale == 1, details=details)
