"""A search with KerasTuner's Bayesian optimisation: what it is, and how this process runs its trials."""

import errno
import io
import logging
import os
import random
import shutil
import zipfile
import zlib
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
from components.training.state_file import StateFile
from components.tune.settings import TuneSettings
from components.tune.trial import Trial, read_hyperparameters
from components.tune.trial_log import TrialLog

_log = logging.getLogger(__name__)

# What KerasTuner's oracle and its tuner write, and the log of the trials; not what a worker may be writing.
_KEPT = ("oracle.json", "tuner0.json", "trial_*/trial.json", "epochs/*.json")


class Search(Section):
    """What one search is, in plain values: it can be handed to another process."""

    images_path: str
    train_path: str
    validation_path: str
    variant: str
    settings: TuneSettings
    recipe: Recipe
    directory: str
    """Local directory where this process and its workers, and nobody else, run the search."""
    name: str
    """Name of this search; another data set or budget has another name."""
    outputs: tuple[str, ...] = ALL_OUTPUTS
    """Names of the outputs that there are."""
    kept: str | None = None
    """Local directory or ``gs://`` URI that outlives this process, where this search alone is kept; None for none."""
    decoded: str | None = None
    """Directory of decoded images that several processes share; None to decode for this process alone."""

    @property
    def folder(self) -> Path:
        """Where KerasTuner has its files."""
        return Path(self.directory, self.name)

    @property
    def log(self) -> TrialLog:
        """What happened in its trials."""
        return TrialLog(self.folder / "epochs")

    def keep(self) -> None:
        """Keep the search as it stands, in place of what was kept, for another process to take up.

        All of it is one file that is replaced as a whole. So two processes with the same search don't disturb each
        other: each has its own folder, and what either keeps is a search at some moment, never parts of two.
        """
        if self.kept is None:
            return
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(path for pattern in _KEPT for path in self.folder.glob(pattern)):
                archive.write(path, path.relative_to(self.folder))
        self._snapshot(self.kept).write(content.getvalue())

    def take_up(self) -> None:
        """Bring what was kept into the folder, where KerasTuner finds it."""
        content = None if self.kept is None else self._snapshot(self.kept).read()
        if content is None:
            return
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                archive.extractall(self.folder)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
            shutil.rmtree(self.folder, ignore_errors=True)
            _log.warning("the unfinished search in %s is damaged (%s), so it starts again", self.kept, error)

    @staticmethod
    def _snapshot(kept: str) -> StateFile:
        return StateFile(f"{kept}/search.zip")

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
        unfinished = None if self.kept is None else f"{self.kept}/unfinished"
        return Trial(data, self.settings, settle(self.recipe, data, widest), self.log, self.variant, unfinished)

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
        # KerasTuner has read its trials in the order of a directory, and the Gaussian process rounds by their order.
        oracle.trials = {name: oracle.trials[name] for name in oracle.start_order}
        # KerasTuner repeats what its last save calls going on, which may have ended since.
        begun = [name for name, trial in oracle.trials.items() if trial.status == "RUNNING"]
        oracle._retry_queue = begun[::-1]  # It takes the last one first.
        if ended := len(oracle.trials) - len(begun):
            _log.info("%s: resuming the search after %d of %d trials", self.variant, ended, self.settings.trials)


def search_here(search: Search) -> keras_tuner.Oracle:
    """Run the trials one after the other in this process, and return the oracle that knows them."""
    trial = search.load_trial()
    seed_everything(search.settings.seed, deterministic=search.recipe.training.deterministic)
    search.take_up()
    tuner = _LoneTuner(trial, search)
    search.resume(tuner.oracle)
    with ends_on_sigterm():
        _search(tuner)
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
        _search(_WorkingTuner(search.load_trial(), **search.arguments()))


def _search(tuner: "_Tuner") -> None:
    try:
        tuner.search(verbose=0)
    except keras_tuner.errors.FatalError as error:
        raise error.__cause__ or error from None


class _Tuner(keras_tuner.BayesianOptimization):
    """Bayesian optimisation that goes on when a trial fails, and keeps the reason.

    What no other trial would escape, such as a full disk, ends the search, which is kept as it was before the trial.
    """

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        number = int(trial.trial_id) + 1
        try:
            return super().run_trial(trial, *args, number=number, **kwargs)
        except Exception as error:  # What breaks one trial need not break the next.
            if _is_of_the_machine(error):
                raise keras_tuner.errors.FatalError(str(error)) from error
            reason, model = _reason(error), self.hypermodel
            values = read_hyperparameters(trial.hyperparameters, model.settings.space).model_dump()
            model.log.fail(number, values, reason)
            _log.warning("tuning %s, trial %d failed: %s", model.variant, number, reason)
            raise keras_tuner.errors.FailedTrialError(reason) from error


class _LoneTuner(_Tuner):
    """Keeps the state of the random generators with the search: a resumed search has the uninterrupted one's trials."""

    def __init__(self, trial: Trial, search: Search) -> None:
        self.kept_search = search
        super().__init__(trial, **search.arguments())

    def save(self) -> None:
        super().save()
        self.kept_search.keep()

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


def _is_of_the_machine(error: Exception) -> bool:
    return isinstance(error, OSError) or os.strerror(errno.ENOSPC) in str(error)  # TensorFlow has its own class for it.


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
