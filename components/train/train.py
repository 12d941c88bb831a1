"""Train one variant with one seed and export it."""

import logging
import time
from typing import Any

import numpy as np
import pandas as pd

from components.dataset.manifest import Manifest
from components.errors import ArtifactError
from components.files import atomic_path, read_json, write_json
from components.imbalance.registry import find_variant
from components.imbalance.settings import ImbalanceSettings
from components.model.artifact import HISTORY_FILE, VARIANT_FILE
from components.model.serving import export
from components.model.settings import Hyperparameters, ModelSettings
from components.training.fit import (
    EpochLog,
    build_compiled,
    fit_network,
    kept_epoch,
    load_training_data,
    seed_everything,
)
from components.training.settings import AugmentationSettings, TrainingSettings

_log = logging.getLogger(__name__)


def train(
    images_path: str,
    train_path: str,
    validation_path: str,
    hyperparameters_path: str,
    variant: str,
    seed: int,
    model: ModelSettings,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    imbalance: ImbalanceSettings,
    model_path: str,
) -> dict[str, Any]:
    """Train one variant with one seed.

    Args:
        images_path: Directory of image shards.
        train_path: Manifest of the training split.
        validation_path: Manifest of the validation split.
        hyperparameters_path: What tuning chose for each tuned variant.
        variant: A name in the registry.
        seed: Fixes weights, order, dropout and augmentation.
        model: The network's settings.
        training: The training run's settings.
        augmentation: Random changes of the training images.
        imbalance: Parameters of the cures.
        model_path: SavedModel directory to write, with ``variant.json`` and ``history.parquet``.

    Returns:
        What ``variant.json`` holds.
    """
    seed_everything(seed, deterministic=training.deterministic)
    definition = find_variant(variant)
    chosen = read_hyperparameters(hyperparameters_path, variant)
    train_manifest, validation_manifest = Manifest.read(train_path), Manifest.read(validation_path)
    started = time.monotonic()
    data = load_training_data(images_path, train_manifest, validation_manifest, definition, imbalance, model, training)
    _log.info(
        "%s, seed %d: %d training and %d validation faces loaded in %.1f s",
        variant,
        seed,
        len(data.train.images),
        len(data.validation.images),
        time.monotonic() - started,
    )
    network = build_compiled(data, model, training, chosen)
    started = time.monotonic()
    log = EpochLog(f"{variant}, seed {seed}", training.epochs)
    history = fit_network(network, data, training, augmentation, seed, [log])
    seconds = time.monotonic() - started
    table = pd.DataFrame(history.history)
    table.insert(0, "epoch", np.arange(1, len(table) + 1))
    about = {
        "variant": variant,
        "seed": seed,
        "title": definition.title,
        "hyperparameters": chosen.model_dump(),
        "labels": train_manifest.labels.to_dict(),
        "fingerprint": train_manifest.fingerprint,
        "class_priors": list(data.cure.statistics["priors"]["ethnicity"].values()),
        "statistics": data.cure.statistics,
        "epochs_run": len(table),
        "best_epoch": kept_epoch(history.history, data, training),
        "train_seconds": round(seconds, 3),
        "train_faces": len(data.train.images),
        "validation_faces": len(data.validation.images),
        "parameters": int(network.count_params()),
        "settings": {
            "model": model.to_parameter(),
            "training": training.to_parameter(),
            "augmentation": augmentation.to_parameter(),
            "imbalance": imbalance.to_parameter(),
        },
    }
    with atomic_path(model_path) as draft:
        export(network, data.age_scale, model.image_size, draft)
        table.to_parquet(draft / HISTORY_FILE, index=False)
        write_json(draft / VARIANT_FILE, about)
    _log.info("%s, seed %d: %d epochs in %.1f s, exported", variant, seed, len(table), seconds)
    return about


def read_hyperparameters(path: str, variant: str) -> Hyperparameters:
    """Return a variant's own hyperparameters where it was tuned, else the only ones there are.

    Args:
        path: JSON that the tune stage wrote: a search for each tuned variant.
        variant: The variant to be trained.

    Raises:
        ArtifactError: If several variants were tuned and this one was not.
    """
    searches = read_json(path)
    if variant not in searches and len(searches) > 1:
        raise ArtifactError(
            f"{path} has no hyperparameters for the variant '{variant}' but for {', '.join(sorted(searches))}",
            remedy="set tuning.scope to 'baseline', or run tune again for every variant",
        )
    search = searches[variant] if variant in searches else next(iter(searches.values()))
    return Hyperparameters.model_validate(search["values"])
