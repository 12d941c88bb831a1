"""One trial: a network built from its hyperparameters and trained like any other."""

import math
from dataclasses import dataclass
from typing import Any

import keras
import keras_tuner

from components.model.settings import Hyperparameters
from components.training.callbacks import EpochLog, tensorboard
from components.training.checkpoint import Checkpoint
from components.training.compiled import build_compiled
from components.training.data import TrainingData
from components.training.fit import fit_network, planned_epochs
from components.training.recipe import Recipe
from components.training.selection import kept_epoch, selection_metrics
from components.tune.settings import SearchSpace, TuneSettings
from components.tune.trial_log import TrialLog


def read_hyperparameters(values: keras_tuner.HyperParameters, space: SearchSpace) -> Hyperparameters:
    """Return a trial's hyperparameters; asked of KerasTuner for the first time, this declares what is searched."""
    return Hyperparameters(
        learning_rate=values.Float("learning_rate", *space.learning_rate, sampling="log"),
        dense_layers=values.Choice("dense_layers", list(space.dense_layers)),
        dense_units=values.Choice("dense_units", list(space.dense_units)),
        dropout=round(values.Float("dropout", *space.dropout, step=0.1), 6),
    )


@dataclass(eq=False)
class Trial(keras_tuner.HyperModel):
    """What KerasTuner builds and fits in every trial.

    Attributes:
        data: The variant's faces and plan, the same in every trial.
        settings: Budget and search space.
        recipe: The settings that a trial follows.
        log: Where its epochs are kept.
        variant: Name of the variant, for messages.
        kept: Local directory or ``gs://`` URI where unfinished trials are kept; None to keep none.
    """

    data: TrainingData
    settings: TuneSettings
    recipe: Recipe
    log: TrialLog
    variant: str
    kept: str | None

    def __post_init__(self) -> None:
        """Let KerasTuner set its own attributes."""
        super().__init__()

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        """Build the trial's network."""
        return build_compiled(self.data, self.recipe, read_hyperparameters(hp, self.settings.space))

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *_: Any,
        number: int,
        **__: Any,
    ) -> keras.callbacks.History:
        """Train the network of trial ``number``, counted from 1, and return the metrics of the epoch that it keeps.

        KerasTuner's own callback is left out: it writes every trial's weights, which nobody reads.

        Raises:
            FailedTrialError: If one of those metrics is not a finite number.
        """
        title = f"tuning {self.variant}, trial {number} of {self.settings.trials}"
        values = read_hyperparameters(hp, self.settings.space).model_dump()
        shown = [
            EpochLog(title, planned_epochs(self.data.plan, self.recipe.training), self.data.labels.age_unit),
            _TrialEpochs(self.log, number, values),
        ]
        logs = tensorboard(self.recipe.training, f"tune/{self.variant}/{number}")
        # The search's name, in the path, stands for all that its trials have in common.
        checkpoint = None if self.kept is None else Checkpoint.of(self.kept, str(number), self.kept, values)
        history = fit_network(model, self.data, self.recipe, self.settings.seed, [*shown, *logs], checkpoint)
        if checkpoint is not None:
            checkpoint.remove()
        # KerasTuner would score a trial by its best value in any epoch; what counts is the epoch that training keeps.
        kept = kept_epoch(history.history, self.data.plan, self.recipe.training)
        history.history = {name: values[kept - 1 : kept] for name, values in history.history.items()}
        # KerasTuner refuses a score that is not a number, and takes an infinite one for 0, which is a good one.
        for name in selection_metrics(self.data.labels.outputs):
            if not math.isfinite(history.history[name][0]):
                raise keras_tuner.errors.FailedTrialError(f"{name} is {history.history[name][0]} in the epoch it keeps")
        return history


class _TrialEpochs(keras.callbacks.Callback):
    """Log each epoch of a trial as it ends, and end a trial whose loss is no longer a number."""

    def __init__(self, log: TrialLog, number: int, values: dict[str, Any]) -> None:
        super().__init__()
        self.log = log
        self.number = number
        self.values = values

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the epochs so far: a trial that goes on in this process has some from another."""
        history = self.model.history.history
        logged = [{name: series[index] for name, series in history.items()} for index in range(epoch + 1)]
        trial = {"trial": str(self.number)}
        rows = [{**trial, "epoch": index + 1, **self.values, **each} for index, each in enumerate(logged)]
        self.log.write(self.number, rows)
        if not math.isfinite((logs or {})["loss"]):
            self.model.stop_training = True
