"""A search with KerasTuner's Bayesian optimisation: what it is, and how this process runs its trials."""

import logging
import random
from pathlib import Path
from typing import Any

import keras_tuner
import numpy as np
import tensorflow as tf

from components.dataset.manifest import Manifest
from components.dataset.outputs import ALL_OUTPUTS
from components.errors import EvenfaceError
from components.imbalance.registry import find_variant
from components.model.settings import Hyperparameters
from components.section import Section
from components.training.checkpoint import ends_on_sigterm
from components.training.data import TrainingData, load_training_data
from components.training.fit import seed_everything
from components.training.recipe import Recipe
from components.training.selection import selection_metrics
from components.training.settle import settle
from components.tune.settings import TuneSettings
from components.tune.trial import Trial, read_hyperparameters
from components.tune.trial_log import TrialLog

_log = logging.getLogger(__name__)


class Search(Section):
    """What one search is, in plain values: it can be handed to another process."""

    images_path: str
    train_path: str
    validation_path: str
    variant: str
    settings: TuneSettings
    recipe: Recipe
    directory: str
    """Local directory or ``gs://`` URI where searches are kept."""
    name: str
    """Name of this search in the directory; another data set or budget has another name."""
    outputs: tuple[str, ...] = ALL_OUTPUTS
    """Names of the outputs that there are."""
    decoded: str | None = None
    """Directory of decoded images that several processes share; None to decode for this process alone."""

    @property
    def log(self) -> TrialLog:
        """What happened in its trials."""
        return TrialLog(f"{self.directory}/{self.name}/epochs")

    def load_data(self) -> TrainingData:
        """Load the variant's faces, opening the decoded images where another process left them."""
        train, validation = Manifest.read(self.train_path), Manifest.read(self.validation_path)
        decoded = None if self.decoded is None else Path(self.decoded)
        return load_training_data(
            self.images_path, train, validation, find_variant(self.variant), self.recipe, decoded=decoded
        )

    def load_trial(self) -> Trial:
        """Return what KerasTuner builds and fits in every trial."""
        data, space = self.load_data(), self.settings.space
        # Every trial has the same batches: the widest network must fit too.
        widest = Hyperparameters(dense_layers=max(space.dense_layers), dense_units=max(space.dense_units))
        return Trial(data, self.settings, settle(self.recipe, data, widest), self.log, self.variant, self.kept)

    @property
    def kept(self) -> str:
        """Where unfinished trials are kept."""
        return f"{self.directory}/{self.name}/unfinished"

    def arguments(self) -> dict[str, Any]:
        """Return the arguments of the search's tuners."""
        goals = selection_metrics(self.outputs)
        return {
            "objective": [keras_tuner.Objective(name, direction) for name, direction in goals.items()],
            "max_trials": self.settings.trials,
            "num_initial_points": self.settings.random_trials,
            "seed": self.settings.seed,
            "directory": self.directory,
            "project_name": self.name,
            "overwrite": False,
            # Any number of trials may fail: those that don't decide.
            "max_consecutive_failed_trials": self.settings.trials + 1,
        }

    def resume(self, oracle: keras_tuner.Oracle) -> None:
        """Take up an interrupted search where it stopped."""
        # KerasTuner repeats what its last save calls going on, which may have ended since.
        begun = [name for name, trial in oracle.trials.items() if trial.status == "RUNNING"]
        oracle._retry_queue = begun[::-1]  # It takes the last one first.
        if ended := len(oracle.trials) - len(begun):
            _log.info("%s: resuming the search after %d of %d trials", self.variant, ended, self.settings.trials)


def search_here(search: Search) -> keras_tuner.Oracle:
    """Run the trials one after the other in this process, and return the oracle that knows them."""
    trial = search.load_trial()
    seed_everything(search.settings.seed, deterministic=search.recipe.training.deterministic)
    tuner = _LoneTuner(trial, **search.arguments())
    search.resume(tuner.oracle)
    with ends_on_sigterm():
        tuner.search(verbose=0)
    return tuner.oracle


def work_on(search: Search, threads: int) -> None:
    """Run trials for the chief whose address KerasTuner's environment variables give, until none is left.

    Args:
        search: What the chief searches.
        threads: Processor threads that this process may keep busy.
    """
    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(threads)
    seed_everything(search.settings.seed, deterministic=search.recipe.training.deterministic)
    with ends_on_sigterm():
        _WorkingTuner(search.load_trial(), **search.arguments()).search(verbose=0)


class _Tuner(keras_tuner.BayesianOptimization):
    """Bayesian optimisation that goes on when a trial fails, and keeps the reason."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        number = int(trial.trial_id) + 1
        try:
            return super().run_trial(trial, *args, number=number, **kwargs)
        except Exception as error:  # What breaks one trial need not break the next.
            reason, model = _reason(error), self.hypermodel
            values = read_hyperparameters(trial.hyperparameters, model.settings.space).model_dump()
            model.log.fail(number, values, reason)
            _log.warning("tuning %s, trial %d failed: %s", model.variant, number, reason)
            raise keras_tuner.errors.FailedTrialError(reason) from error


class _LoneTuner(_Tuner):
    """Keeps the state of the random generators with the search: a resumed search has the uninterrupted one's trials."""

    def on_trial_begin(self, trial: Any) -> None:
        super().on_trial_begin(trial)
        self.save()

    def get_state(self) -> dict[str, Any]:
        # Keras draws the seeds of a network's weights and dropout from Python's generator.
        version, internal, gauss = random.getstate()
        points = self.oracle._random_state.get_state(legacy=False)  # KerasTuner forgets to keep it.
        points["state"]["key"] = points["state"]["key"].tolist()
        return {**super().get_state(), "python": [version, list(internal), gauss], "points": points}

    def set_state(self, state: dict[str, Any]) -> None:
        super().set_state(state)
        version, internal, gauss = state["python"]
        random.setstate((version, tuple(internal), gauss))
        points = state["points"]
        points["state"]["key"] = np.asarray(points["state"]["key"], np.uint32)
        self.oracle._random_state.set_state(points)


class _WorkingTuner(_Tuner):
    """Seeds each trial by its number: which worker runs it makes no difference."""

    def _populate_initial_space(self) -> None:
        """Build no network to learn what is searched: the chief knows."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        settings, recipe = self.hypermodel.settings, self.hypermodel.recipe
        seed_everything(settings.seed + int(trial.trial_id), deterministic=recipe.training.deterministic)
        return super().run_trial(trial, *args, **kwargs)


def _reason(error: Exception) -> str:
    """Return why a trial failed, in one line."""
    if isinstance(error, (tf.errors.ResourceExhaustedError, MemoryError)) or "RESOURCE_EXHAUSTED" in str(error):
        return OUT_OF_MEMORY
    if isinstance(error, EvenfaceError):
        return error.problem
    message = next(iter(str(error).strip().splitlines()), "")
    return message if isinstance(error, keras_tuner.errors.FailedTrialError) else f"{type(error).__name__}: {message}"


OUT_OF_MEMORY = "out of memory"
"""Why a trial failed that asked for more memory than there is."""
