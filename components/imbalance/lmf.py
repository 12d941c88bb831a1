"""Large-margin-aware focal loss: LMF (Sadi et al. 2022, arXiv 2212.12741)."""

from typing import Self

from pydantic import Field, model_validator

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section, SettingError

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Large-margin-aware focal loss."""

    alpha: float = Field(default=2.5, ge=0, description="Weight of the LDAM part.")
    beta: float = Field(default=0.05, ge=0, description="Weight of the focal part.")
    gamma: float = Field(default=4.0, ge=0, description="Focusing exponent of the focal part.")
    max_margin: float = Field(default=0.5, ge=0, description="Margin of the rarest class, in logits.")
    scale: float = Field(default=1.0, gt=0, description="Factor on the logits of the LDAM part. The authors use 30.")
    class_weighted: bool = Field(
        default=False, description="Weight the classes by their margins in both parts, as the authors' code does."
    )

    @model_validator(mode="after")
    def _require_margins_as_weights(self) -> Self:
        if self.class_weighted and self.max_margin == 0:
            problem = "class_weighted uses the margins as weights, but max_margin is 0"
            raise SettingError(problem, remedy="set max_margin above 0 or class_weighted to false")
        return self


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output with LMF, with margins from the training counts."""
    from components.imbalance.losses.lmf import LMF

    loss = LMF(faces.class_counts(output, "lmf").tolist(), **settings.model_dump())
    # Its class weights act on one part inside the batch and its scale on the other: no prior in closed form.
    prior_known = settings.scale == 1 and not settings.class_weighted
    margins = faces.name_groups(output, loss.ldam.margins)
    return Treatment(loss=loss, prior_known=prior_known, details={"margins": margins})
