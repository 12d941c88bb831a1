"""Which epoch of a training run, and which trial of a search, is best."""

from collections.abc import Mapping, Sequence

import numpy as np

from components.dataset.outputs import OUTPUTS
from components.imbalance.plan import TrainingPlan
from components.training.settings import TrainingSettings

SELECTION_METRICS = {output.selection_metric: output.goal for output in OUTPUTS.values()}
"""Metrics on the validation faces that tuning optimises, each with its direction."""


def watched_metric(training: TrainingSettings) -> str:
    """Return the name of what early stopping minimises."""
    return "val_score" if training.selection_metric == "score" else "val_loss"


def kept_epoch(history: Mapping[str, Sequence[float]], plan: TrainingPlan, training: TrainingSettings) -> int:
    """Return the epoch, from 1, whose weights :func:`~components.training.fit.fit_network` left in the network."""
    if plan.deferred_weights is not None:
        return len(history["loss"])
    return int(np.argmin(history[watched_metric(training)])) + 1
