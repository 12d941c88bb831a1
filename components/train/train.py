"""Train one variant with one seed and export it."""

import logging
import time

import numpy as np
import pandas as pd

from components.dataset.manifest import Manifest
from components.errors import ArtifactError
from components.files import atomic_path
from components.imbalance.registry import find_variant
from components.model.serving import export
from components.model.settings import Hyperparameters
from components.training.callbacks import EpochLog, tensorboard
from components.training.checkpoint import Checkpoint, ends_on_sigterm
from components.training.compiled import build_compiled, trained_network
from components.training.data import load_training_data
from components.training.fit import fit_network, planned_epochs, seed_everything
from components.training.recipe import Recipe
from components.training.record import HISTORY_FILE, TrainingRecord
from components.training.search import read_searches
from components.training.selection import kept_epoch
from components.training.settle import settle

_log = logging.getLogger(__name__)


def train(
    *,
    images_path: str,
    train_path: str,
    validation_path: str,
    hyperparameters_path: str,
    variant: str,
    seed: int,
    recipe: Recipe,
    state_path: str,
    model_path: str,
) -> TrainingRecord:
    """Train one variant with one seed, and return what ``variant.json`` holds.

    A training that was killed goes on where it was last kept, and ends with the same numbers.

    Args:
        images_path: Directory of image shards.
        train_path: Manifest of the training split.
        validation_path: Manifest of the validation split.
        hyperparameters_path: What tuning chose for each tuned variant.
        variant: A name in the registry.
        seed: Seed of the weights, order of faces, dropout and augmentation.
        recipe: The settings that the training run follows.
        state_path: Directory or ``gs://`` URI that outlives the stage, where the unfinished training is kept; empty to
            keep none.
        model_path: SavedModel directory to write, with ``variant.json`` and ``history.parquet``.
    """
    definition, title = find_variant(variant), f"{variant}, seed {seed}"
    hyperparameters = read_hyperparameters(hyperparameters_path, variant)
    train_faces, validation_faces = Manifest.read(train_path), Manifest.read(validation_path)
    started = time.monotonic()
    data = load_training_data(images_path, train_faces, validation_faces, definition, recipe)
    counts = len(data.train.images), len(data.validation.images)
    _log.info("%s: %d training and %d validation faces loaded in %.1f s", title, *counts, time.monotonic() - started)
    recipe = settle(recipe, data, hyperparameters)
    seed_everything(seed, deterministic=recipe.training.deterministic)
    model = build_compiled(data, recipe, hyperparameters)
    callbacks = [
        EpochLog(title, planned_epochs(data.plan, recipe.training), data.labels.age_unit),
        *tensorboard(recipe.training, f"{variant}/{seed}"),
    ]
    checkpoint = None
    if state_path:
        faces = (each.faces["image_id"].tolist() for each in (train_faces, validation_faces))
        identity = [train_faces.fingerprint, *faces, hyperparameters.model_dump(), recipe.to_parameter()]
        identity += train_faces.labels.choice_of_outputs
        checkpoint = Checkpoint.of(f"{state_path.rstrip('/')}/train", f"{variant}-{seed}", *identity)
    started = time.monotonic()
    with ends_on_sigterm():
        history = fit_network(model, data, recipe, seed, callbacks, checkpoint).history
    network = trained_network(model)
    seconds = time.monotonic() - started
    table = pd.DataFrame(history)
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    record = TrainingRecord(
        variant=variant,
        seed=seed,
        title=definition.title,
        source=definition.source,
        cures={slot: definition.cure_names(slot) for slot in (*data.labels.outputs, "resampling")},
        hyperparameters=hyperparameters,
        labels=data.labels,
        fingerprint=train_faces.fingerprint,
        statistics=data.plan.statistics,
        epochs_run=len(table),
        best_epoch=kept_epoch(history, data.plan, recipe.training),
        train_seconds=round(seconds, 3),
        train_faces=len(data.train.images),
        validation_faces=len(data.validation.images),
        parameters=int(network.count_params()),
        recipe=recipe,
    )
    with atomic_path(model_path) as draft:
        export(network, data.age_scale, recipe.model.image_size, draft)
        table.to_parquet(draft / HISTORY_FILE, index=False)
        record.write(draft)
    if checkpoint is not None:
        checkpoint.remove()
    _log.info("%s: %d epochs in %.1f s, exported", title, len(table), seconds)
    return record


def read_hyperparameters(path: str, variant: str) -> Hyperparameters:
    """Return a variant's own hyperparameters if it was tuned, otherwise those of the only search.

    Raises:
        ArtifactError: If several variants were tuned and this one was not.
    """
    searches = read_searches(path)
    if variant not in searches and len(searches) > 1:
        raise ArtifactError(
            f"{path} has hyperparameters for {', '.join(sorted(searches))}, but none for the variant '{variant}'",
            remedy="set tune.scope to 'baseline', or run tune again for every variant",
        )
    search = searches[variant] if variant in searches else next(iter(searches.values()))
    return search.values  # noqa: PD011 - not a data frame
