"""Down-sampling of the majority ethnicity class."""

import numpy as np

from components.dataset.manifest import Manifest
from components.imbalance.settings import ImbalanceSettings
from components.imbalance.treatment import Resampling


def resample(train: Manifest, settings: ImbalanceSettings) -> Resampling:
    """Remove a share of the faces of the most common ethnicity, drawn at random without replacement.

    Of two classes with equally many faces the first is the majority.
    """
    ethnicity = train.faces["ethnicity"].to_numpy(np.int64)
    counts = np.bincount(ethnicity, minlength=len(train.labels.ethnicities))
    majority = int(counts.argmax())
    removed = int(settings.downsample.fraction * int(counts[majority]))  # Rounded down: one face at least stays.
    generator = np.random.default_rng(settings.downsample.seed)
    kept = np.ones(len(train), bool)
    kept[generator.choice(np.flatnonzero(ethnicity == majority), removed, replace=False)] = False
    return Resampling(
        np.flatnonzero(kept),
        statistics={"class": train.labels.ethnicities[majority], "removed": removed, "kept": int(kept.sum())},
    )
