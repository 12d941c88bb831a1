"""Search hyperparameters with KerasTuner's Bayesian optimisation."""

import hashlib
import json
import logging
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import keras_tuner
import pandas as pd
import tensorflow as tf

from components.dataset.manifest import Manifest
from components.files import atomic_path
from components.imbalance.registry import find_variant
from components.model.settings import Hyperparameters
from components.training.callbacks import EpochLog
from components.training.compiled import build_compiled
from components.training.data import TrainingData, load_training_data
from components.training.fit import fit_network, seed_everything
from components.training.recipe import Recipe
from components.training.search import SearchResult
from components.training.selection import SELECTION_METRICS, kept_epoch
from components.tune.settings import SearchSpace, TuneSettings

_log = logging.getLogger(__name__)


def tune(
    *,
    images_path: str,
    train_path: str,
    validation_path: str,
    variant: str,
    settings: TuneSettings,
    recipe: Recipe,
    state_path: str,
    hyperparameters_path: str,
    trials_path: str,
) -> dict[str, Any]:
    """Choose the hyperparameters of one variant.

    The objectives are the selection metric of each output, log-age MAE, gender accuracy and ethnicity
    macro F1, all on the validation faces. A trial is judged by the epoch that a training run would keep.

    Args:
        images_path: Directory of image shards.
        train_path: Manifest of the training split.
        validation_path: Manifest of the validation split.
        variant: The variant whose losses and weights the trials train with.
        settings: Budget and search space, or the fixed values.
        recipe: The settings that a trial follows; ``settings.epochs`` replaces the epochs.
        state_path: Directory or ``gs://`` URI that outlives the stage, from which an interrupted
            search is resumed; empty for none.
        hyperparameters_path: JSON to write: the values and where they came from.
        trials_path: Parquet to write: one row per trial and epoch; no rows if nothing was searched.

    Returns:
        The chosen values and the number of trials.
    """
    if settings.fixed is not None:
        result = SearchResult(variant=variant, values=settings.fixed, source="fixed by the settings", trials=0)
        trials = _no_trials()
    else:
        result, trials = _search(images_path, train_path, validation_path, variant, settings, recipe, state_path)
    result.write(hyperparameters_path)
    with atomic_path(trials_path) as draft:
        trials.to_parquet(draft, index=False)
    values = result.values.model_dump()  # noqa: PD011 - not a data frame
    _log.info("%s: hyperparameters %s (%s)", variant, values, result.source)
    return {"trials": result.trials, **values}


def _search(
    images_path: str,
    train_path: str,
    validation_path: str,
    variant: str,
    settings: TuneSettings,
    recipe: Recipe,
    state_path: str,
) -> tuple[SearchResult, pd.DataFrame]:
    train, validation = Manifest.read(train_path), Manifest.read(validation_path)
    recipe = recipe.model_copy(update={"training": recipe.training.model_copy(update={"epochs": settings.epochs})})
    seed_everything(settings.seed, deterministic=recipe.training.deterministic)
    data = load_training_data(images_path, train, validation, find_variant(variant), recipe)
    search_key = _search_key(variant, train, validation, settings, recipe)
    with tempfile.TemporaryDirectory() as scratch:
        directory = f"{state_path.rstrip('/')}/tune" if state_path else scratch
        tuner = _Tuner(
            _Trial(data, settings, recipe, f"{directory}/{search_key}/epochs", variant),
            objective=[keras_tuner.Objective(name, direction) for name, direction in SELECTION_METRICS.items()],
            max_trials=settings.trials,
            num_initial_points=settings.initial_points,
            seed=settings.seed,
            directory=directory,
            project_name=search_key,
            overwrite=False,
        )
        finished = [trial for trial in tuner.oracle.trials.values() if trial.status == "COMPLETED"]
        if finished:
            _log.info("%s: resuming the search after %d of %d trials", variant, len(finished), settings.trials)
        tuner.search(verbose=0)
        best = tuner.oracle.get_best_trials(1)[0]
        trials = _read_trials(f"{directory}/{search_key}/epochs")
    number = int(best.trial_id) + 1
    result = SearchResult(
        variant=variant,
        values=_hyperparameters(best.hyperparameters, settings.space),
        source=f"trial {number} of {settings.trials}, the best of KerasTuner's BayesianOptimization",
        trials=settings.trials,
        score=best.score,
        objectives=SELECTION_METRICS,
        space=settings.space.to_parameter(),
        budget=settings.model_dump(include={"trials", "initial_points", "epochs"}),
    )
    return result, trials


def _search_key(variant: str, train: Manifest, validation: Manifest, settings: TuneSettings, recipe: Recipe) -> str:
    """Name a search after everything that determines it, so that a different data set or budget never resumes it."""
    identity = [
        variant,
        train.fingerprint,
        train.faces["image_id"].tolist(),
        validation.faces["image_id"].tolist(),
        [settings.to_parameter(), *recipe.to_parameter().values()],
    ]
    return f"{variant}-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]}"


def _hyperparameters(values: keras_tuner.HyperParameters, space: SearchSpace) -> Hyperparameters:
    return Hyperparameters(
        learning_rate=values.Float("learning_rate", *space.learning_rate, sampling="log"),
        dense_layers=values.Choice("dense_layers", list(space.dense_layers)),
        dense_units=values.Choice("dense_units", list(space.dense_units)),
        dropout=round(values.Float("dropout", *space.dropout, step=0.1), 6),
    )


@dataclass(eq=False)
class _Trial(keras_tuner.HyperModel):
    """One trial: a network built from its hyperparameters and trained like any other."""

    data: TrainingData
    settings: TuneSettings
    recipe: Recipe
    log_directory: str
    variant: str
    trial_id: str = ""

    def __post_init__(self) -> None:
        super().__init__()

    def build(self, hp: keras_tuner.HyperParameters) -> keras.Model:
        return build_compiled(self.data, self.recipe, _hyperparameters(hp, self.settings.space))

    def fit(
        self,
        hp: keras_tuner.HyperParameters,
        model: keras.Model,
        *_: Any,
        callbacks: list[keras.callbacks.Callback],
        **__: Any,
    ) -> Any:
        values = _hyperparameters(hp, self.settings.space).model_dump()
        rows: list[dict[str, Any]] = []

        def remember(epoch: int, logs: dict[str, float]) -> None:
            rows.append({"trial": self.trial_id, "epoch": epoch + 1, **values, **logs})
            tf.io.gfile.makedirs(self.log_directory)
            with tf.io.gfile.GFile(f"{self.log_directory}/{self.trial_id}.json", "w") as file:
                file.write(json.dumps(rows))

        title = f"tuning {self.variant}, trial {self.trial_id} of {self.settings.trials}"
        log = EpochLog(title, self.recipe.training.epochs)
        callbacks = [*callbacks, log, keras.callbacks.LambdaCallback(on_epoch_end=remember)]
        history = fit_network(model, self.data, self.recipe, self.settings.seed, callbacks)
        # KerasTuner would score a trial by its best value in any epoch; what counts is the epoch that training keeps.
        kept = kept_epoch(history.history, self.data.plan, self.recipe.training)
        history.history = {name: values[kept - 1 : kept] for name, values in history.history.items()}
        return history


class _Tuner(keras_tuner.BayesianOptimization):
    """Bayesian optimisation that tells its hypermodel which trial is running."""

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> Any:
        self.hypermodel.trial_id = f"{int(trial.trial_id) + 1}"
        return super().run_trial(trial, *args, **kwargs)


def _no_trials() -> pd.DataFrame:
    return pd.DataFrame({"trial": pd.Series(dtype="str"), "epoch": pd.Series(dtype="int64")})


def _read_trials(directory: str) -> pd.DataFrame:
    rows: list[dict[str, Any]] = []
    for name in sorted(tf.io.gfile.glob(f"{directory}/*.json"), key=lambda path: int(Path(path).stem)):
        with tf.io.gfile.GFile(name) as file:
            rows.extend(json.loads(file.read()))
    return pd.DataFrame(rows) if rows else _no_trials()
