"""Vector-scaling loss: VS (Kini et al. 2021, arXiv 2103.01550)."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

# On a single logit, a factor would scale the logit of one class only.
TREATS = (Kind.CATEGORICAL,)


class Settings(Section):
    """Vector-scaling loss."""

    gamma: float = Field(
        default=0.15, ge=0, description="Exponent of the factors on the logits; 0 is logit adjustment."
    )
    tau: float = Field(default=1.25, ge=0, description="Strength of the offsets on the logits.")


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output with its logits scaled and shifted by the training counts."""
    from components.imbalance.losses.vs import VS

    loss = VS(faces.class_counts(output, "vs").tolist(), **settings.model_dump())
    details = {
        "logit_factor": faces.name_groups(output, loss.factor),
        "logit_offset": faces.name_groups(output, loss.offset),
    }
    # Factors bend the probabilities: the logits then carry no prior in closed form.
    offset = np.asarray(loss.offset, np.float64)
    return Treatment(loss=loss, class_offset=offset, prior_known=settings.gamma == 0, details=details)
