"""What happens at the end of every epoch: a score and a line in the log."""

import logging
import math
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

import keras
import numpy as np
import numpy.typing as npt

from components.dataset.outputs import OUTPUTS
from components.training.selection import selection_metrics
from components.training.settings import TrainingSettings

_log = logging.getLogger(__name__)

YEARS_METRIC = "mae_years"
"""Name of the metric that people read in place of the error on the scale that a network is trained on."""

_LOSSES = {"loss": "loss", "validation loss": "val_loss"}

State = Mapping[str, list[npt.NDArray[Any]]]
"""What a callback knows, as arrays by name."""


class Resumable(Protocol):
    """A callback that knows something from one epoch to the next, and can go on in another process."""

    def state(self) -> State:
        """Return what it knows, so that it can be kept."""
        ...

    def restore(self, state: State) -> None:
        """Take up what it knew; called when a training has begun, and a callback has begun anew."""
        ...


class ValidationScore(keras.callbacks.Callback):
    """Log ``val_score``, the one number that tuning minimises over the :func:`selection_metrics`.

    It is computed from raw predictions, so it measures the same whatever loss a variant trains with.
    Callbacks after this one see it, and no longer what is meant for people alone.

    Args:
        outputs: Names of the outputs that there are.
    """

    def __init__(self, outputs: Iterable[str]) -> None:
        super().__init__()
        self.goals = selection_metrics(outputs)

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the score to the logs of the epoch."""
        if logs is not None:
            for name in [name for name in logs if name.endswith(f"_{YEARS_METRIC}")]:
                del logs[name]
            signs = {"min": 1, "max": -1}
            logs["val_score"] = sum(signs[goal] * logs[name] for name, goal in self.goals.items())


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Early stopping that never takes a loss that is not a number for the best one so far."""

    def get_monitor_value(self, logs: dict[str, float] | None) -> float | None:
        """Return the watched quantity, infinite where it is not a number."""
        value: float | None = super().get_monitor_value(logs)
        return math.inf if value is not None and math.isnan(value) else value

    def state(self) -> State:
        """Return what it has seen, and the best weights."""
        seen = [math.nan if self.best is None else self.best, self.wait, self.best_epoch, self.stopped_epoch]
        return {"seen": [np.array(seen)], "best_weights": self.best_weights or []}

    def restore(self, state: State) -> None:
        """Take up what it had seen."""
        (seen,) = state["seen"]
        self.best = None if math.isnan(seen[0]) else float(seen[0])
        self.wait, self.best_epoch, self.stopped_epoch = (int(value) for value in seen[1:])
        self.best_weights = list(state["best_weights"]) or None


class EpochLog(keras.callbacks.Callback):
    """Log one line per epoch: the run (such as ``"baseline, seed 42"``), the epoch and the validation metrics."""

    def __init__(self, title: str, epochs: int, age_unit: str) -> None:
        super().__init__()
        self.age_unit = age_unit
        self.title = title
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the epoch that ended."""
        logs = logs or {}
        numbers = [f"{name} {logs[key]:.3f}" for name, key in _LOSSES.items() if key in logs]
        # Keras's metrics hold what the validation faces gave until the next epoch begins.
        validated = self.model.get_metrics_result()
        for output in OUTPUTS.values():
            years, score = validated.get(f"{output.name}_{YEARS_METRIC}"), logs.get(output.selection_metric)
            if years is not None:
                numbers.append(f"{output.name} MAE {float(years):.1f} {self.age_unit}")
            elif score is not None:
                numbers.append(f"{output.name} {output.metric.replace('_', ' ')} {score:.3f}")
        _log.info("%s: epoch %d/%d  %s", self.title, epoch + 1, self.epochs, ", ".join(numbers))


def tensorboard(training: TrainingSettings, name: str) -> list[keras.callbacks.Callback]:
    """Return the callback that writes TensorBoard's logs and the profile, if the settings ask for them.

    Args:
        training: ``tensorboard`` and ``profile_steps``.
        name: Folder of the run below ``tensorboard``, such as ``"baseline/42"``.
    """
    if training.tensorboard is None:
        return []
    folder = f"{training.tensorboard.rstrip('/')}/{name}"
    return [keras.callbacks.TensorBoard(folder, profile_batch=training.profile_steps or 0)]
