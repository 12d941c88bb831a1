"""Which epoch of a training run, and which trial of a search, is best."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from components.dataset.outputs import OUTPUTS
from components.errors import DataError
from components.imbalance.plan import TrainingPlan
from components.training.settings import TrainingSettings


def selection_metrics(outputs: Iterable[str] = OUTPUTS) -> dict[str, str]:
    """Return the metrics on the validation faces that tuning optimises, each with its direction.

    Args:
        outputs: Names of the outputs that there are.
    """
    return {OUTPUTS[name].selection_metric: OUTPUTS[name].goal for name in outputs}


def watched_metric(training: TrainingSettings) -> str:
    """Return the name of what early stopping minimises."""
    return "val_score" if training.selection_metric == "score" else "val_loss"


def kept_epoch(history: Mapping[str, Sequence[float]], plan: TrainingPlan, training: TrainingSettings) -> int:
    """Return the epoch, from 1, whose weights :func:`~components.training.fit.fit_network` left in the network.

    Raises:
        DataError: If what decides is not a number in any epoch, or the loss is none in a last epoch that is kept.
    """
    name = "loss" if plan.keeps_last_epoch else watched_metric(training)
    values = np.asarray(history[name], np.float64)
    if np.isnan(values[-1:] if plan.keeps_last_epoch else values).all():
        when = "in the last epoch, which is kept" if plan.keeps_last_epoch else "in any epoch"
        problem = f"Training diverged: {name} is not a number {when}"
        raise DataError(problem, remedy="lower the learning rates of tune.space, or the one of tune.fixed")
    return len(values) if plan.keeps_last_epoch else int(np.nanargmin(values)) + 1
