"""Down-sampling of the majority ethnicity class."""

from typing import TYPE_CHECKING

import numpy as np
from pydantic import Field

from components.imbalance.treatment import Resampling
from components.section import Section

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest


class Settings(Section):
    """Down-sampling of the majority ethnicity class."""

    fraction: float = Field(default=0.5, gt=0, lt=1, description="Share of the majority class that is removed.")
    seed: int = Field(
        default=42, ge=0, description="Seed of the choice of faces to remove; the same for all training seeds."
    )


def resample(train: "Manifest", settings: Settings) -> Resampling:
    """Remove a share of the faces of the most common ethnicity, drawn at random without replacement.

    If two classes tie for the most faces, the first counts as the majority.
    """
    ethnicity = train.faces["ethnicity"].to_numpy(np.int64)
    counts = np.bincount(ethnicity, minlength=len(train.labels.ethnicities))
    majority = int(counts.argmax())
    removed = int(settings.fraction * int(counts[majority]))  # Rounded down: at least one face stays.
    generator = np.random.default_rng(settings.seed)
    kept = np.ones(len(train), bool)
    kept[generator.choice(np.flatnonzero(ethnicity == majority), removed, replace=False)] = False
    details = {"class": train.labels.ethnicities[majority], "removed": removed, "kept": int(kept.sum())}
    return Resampling(np.flatnonzero(kept), details=details)
