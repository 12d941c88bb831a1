"""Search hyperparameters with KerasTuner's Bayesian optimisation."""

import hashlib
import json
import logging
import tempfile
from typing import Any

import pandas as pd

from components.dataset.manifest import Manifest
from components.errors import DataError
from components.files import atomic_path
from components.training.recipe import Recipe
from components.training.search import SearchResult
from components.training.selection import selection_metrics
from components.tune.parallel import search_in_parallel
from components.tune.search import OUT_OF_MEMORY, Search, search_here
from components.tune.settings import TuneSettings
from components.tune.trial import read_hyperparameters
from components.tune.trial_log import no_trials

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
    macro F1, all on the validation faces. A trial is judged by the epoch that a training run would keep. A
    trial that fails is recorded with its reason, and the search goes on.

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

    Raises:
        DataError: If every trial failed.
    """
    if settings.fixed is not None:
        result = SearchResult(variant=variant, values=settings.fixed, source="fixed by the settings", trials=0)
        trials = no_trials()
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
    run = search_in_parallel if settings.parallel_trials > 1 else search_here
    name = _search_key(variant, train, validation, settings, recipe)
    with tempfile.TemporaryDirectory() as scratch:
        search = Search(
            images_path=str(images_path),
            train_path=str(train_path),
            validation_path=str(validation_path),
            variant=variant,
            settings=settings,
            recipe=recipe,
            directory=f"{scratch}/tune",
            name=name,
            outputs=train.labels.output_names,
            kept=f"{state_path.rstrip('/')}/tune/{name}" if state_path else None,
            decoded=scratch if settings.parallel_trials > 1 else None,
        )
        oracle = run(search)
        trials = search.log.read()
    best = oracle.get_best_trials(1)[0]
    if best.status != "COMPLETED":
        raise _all_failed(trials, search)
    result = SearchResult(
        variant=variant,
        values=read_hyperparameters(best.hyperparameters, settings.space),
        source=f"trial {int(best.trial_id) + 1} of {settings.trials}, the best of KerasTuner's BayesianOptimization",
        trials=settings.trials,
        score=best.score,
        objectives=selection_metrics(train.labels.outputs),
        space=settings.space.to_parameter(),
        budget={"initial_points": settings.random_trials, "trials": settings.trials, "epochs": settings.epochs},
    )
    return result, trials


def _all_failed(trials: pd.DataFrame, search: Search) -> DataError:
    reasons = trials.groupby("trial")["reason"].first()
    if (reasons == OUT_OF_MEMORY).all():
        remedy = "lower training.batch_size or model.image_size"
    else:
        remedy = "lower the rates of tune.space.learning_rate, or, if memory ran out, training.batch_size"
    shown = "; ".join(f"{count} × {reason}" for reason, count in reasons.value_counts().items())
    again = f", or delete {search.kept} to try the same search again" if search.kept else ""
    return DataError(f"All {len(reasons)} trials of the search failed ({shown})", remedy=remedy + again)


def _search_key(variant: str, train: Manifest, validation: Manifest, settings: TuneSettings, recipe: Recipe) -> str:
    """Name a search after everything that determines it, so that a different data set or budget never resumes it."""
    identity = [
        variant,
        train.fingerprint,
        train.faces["image_id"].tolist(),
        validation.faces["image_id"].tolist(),
        [settings.to_parameter(), *recipe.to_parameter().values()],
        *train.labels.choice_of_outputs,
    ]
    return f"{variant}-{hashlib.sha256(json.dumps(identity, sort_keys=True).encode()).hexdigest()[:16]}"
