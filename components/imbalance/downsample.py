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
        default=42, ge=0, description="Fixes which faces are removed, the same for every seed of training."
    )


def resample(train: "Manifest", settings: Settings) -> Resampling:
    """Remove a share of the faces of the most common ethnicity, drawn at random without replacement.

    Of two classes with equally many faces the first is the majority.
    """
    ethnicity = train.faces["ethnicity"].to_numpy(np.int64)
    counts = np.bincount(ethnicity, minlength=len(train.labels.ethnicities))
    majority = int(counts.argmax())
    removed = int(settings.fraction * int(counts[majority]))  # Rounded down: one face at least stays.
    generator = np.random.default_rng(settings.seed)
    kept = np.ones(len(train), bool)
    kept[generator.choice(np.flatnonzero(ethnicity == majority), removed, replace=False)] = False
    details = {"class": train.labels.ethnicities[majority], "removed": removed, "kept": int(kept.sum())}
    return Resampling(np.flatnonzero(kept), details=details)
