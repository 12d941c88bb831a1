"""Logit-adjusted cross-entropy (Menon et al. 2021, arXiv 2007.07314)."""

import numpy as np
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.BINARY, Kind.CATEGORICAL)


class Settings(Section):
    """Logit-adjusted cross-entropy."""

    tau: float = Field(default=1.0, ge=0, description="Strength; 0 is cross-entropy, 1 is balanced softmax.")


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train an output with its logits adjusted by the training priors."""
    from components.imbalance.losses.logit_adjusted import LogitAdjusted

    counts = faces.class_counts(output, "logit_adjusted")
    loss = LogitAdjusted((counts / counts.sum()).tolist(), tau=settings.tau)
    offset = np.asarray(loss.offset, np.float64)
    return Treatment(loss=loss, class_offset=offset, details={"logit_offset": faces.name_groups(output, offset)})
