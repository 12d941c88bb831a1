"""Large-margin-aware focal loss: LMF (Sadi et al. 2022, arXiv 2212.12741)."""

from typing import Literal, Self

from pydantic import Field, model_validator

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section, SettingError

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Large-margin-aware focal loss."""

    head: Literal["linear", "cosine"] = Field(
        default="linear", description="'cosine' takes the logits from cosines between unit features and unit weights."
    )
    alpha: float = Field(default=2.5, ge=0, description="Weight of the LDAM part.")
    beta: float = Field(default=0.05, ge=0, description="Weight of the focal part.")
    gamma: float = Field(default=4.0, ge=0, description="Focusing exponent of the focal part.")
    max_margin: float = Field(
        default=0.5, ge=0, description="Margin of the rarest class, in logits; in cosines with the cosine head."
    )
    scale: float = Field(
        default=1.0,
        gt=0,
        description="Factor on the logits of the LDAM part; with the cosine head it is part of the logits, and so of "
        "both parts. The authors use 30.",
    )
    class_weighted: bool = Field(
        default=False, description="Weight the classes by their margins in both parts, as the authors' code does."
    )
    loss_factor: float = Field(
        default=1.0,
        gt=0,
        description="Factor on the loss: at scale 30 it starts at about ten times the plain loss, and the other "
        "outputs hardly train.",
    )

    @model_validator(mode="after")
    def _require_margins_as_weights(self) -> Self:
        if self.class_weighted and self.max_margin == 0:
            problem = "class_weighted uses the margins as weights, but max_margin is 0"
            raise SettingError(problem, remedy="set max_margin above 0 or class_weighted to false")
        if self.class_weighted and self.head == "cosine":
            problem = "class_weighted follows the authors' code, which has a linear head, but head is 'cosine'"
            raise SettingError(problem, remedy="set head to 'linear' or class_weighted to false")
        return self


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output with LMF, with margins from the training counts."""
    from components.imbalance.heads.cosine import Cosine
    from components.imbalance.losses.ldam import ldam_margins
    from components.imbalance.losses.lmf import LMF

    counts = faces.class_counts(output, "lmf").tolist()
    details = {"margins": faces.name_groups(output, ldam_margins(counts, settings.max_margin))}
    is_cosine = settings.head == "cosine"
    loss = LMF(
        counts,
        alpha=settings.alpha,
        beta=settings.beta,
        gamma=settings.gamma,
        # scale · (cosine − margin) is the logit minus a margin that is scale times as large.
        max_margin=settings.scale * settings.max_margin if is_cosine else settings.max_margin,
        scale=1.0 if is_cosine else settings.scale,
        class_weighted=settings.class_weighted,
        factor=settings.loss_factor,
    )
    head = Cosine(len(counts), settings.scale) if is_cosine else None
    # Its class weights act on one part inside the batch and its scale on the other: no prior in closed form.
    prior_known = settings.scale == 1 and not settings.class_weighted and not is_cosine
    return Treatment(loss, head, prior_known=prior_known, details=details)
