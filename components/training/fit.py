"""The pieces of a training run, shared by the stages that train: tune and train."""

import logging
import math
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.imbalance.cures import Cure, prepare
from components.imbalance.registry import Variant
from components.imbalance.settings import ImbalanceSettings
from components.model.network import build_network
from components.model.settings import Hyperparameters, ModelSettings
from components.training.batches import Faces, load_images, training_batches, validation_batches
from components.training.macro_f1 import MacroF1
from components.training.settings import AugmentationSettings, TrainingSettings

_log = logging.getLogger(__name__)

OUTPUTS = ("age", "gender", "ethnicity")
SELECTION_METRICS = {"val_age_mae": "min", "val_gender_accuracy": "max", "val_ethnicity_macro_f1": "max"}
"""Metrics that tuning optimises, each with its direction. All three live on a scale of about one:
KerasTuner sums several objectives unscaled, those to be maximised with a minus sign."""


def seed_everything(seed: int, *, deterministic: bool) -> None:
    """Seed Python, NumPy and the back end, and choose deterministic kernels if asked."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def compile_with_xla() -> bool:
    """Return whether XLA pays: on an accelerator it does, on a CPU this network ran 8 times slower with it."""
    return bool(tf.config.list_physical_devices("GPU"))


@dataclass(frozen=True)
class TrainingData:
    """What one variant trains and validates on.

    Attributes:
        train: Training faces after the variant's resampling, with its weights.
        validation: Validation faces. Their weights are all one, or those of ``selection: balanced``.
        cure: The variant's losses, weights and draws, computed from the training faces alone.
        age_scale: Scale of the age targets.
        ethnicity_classes: Number of ethnicity classes.
        initial_age: Mean training target of the age head.
    """

    train: Faces
    validation: Faces
    cure: Cure
    age_scale: AgeScale
    ethnicity_classes: int
    initial_age: float


def load_training_data(
    images_path: str | os.PathLike[str],
    train: Manifest,
    validation: Manifest,
    variant: Variant,
    imbalance: ImbalanceSettings,
    model: ModelSettings,
    training: TrainingSettings,
) -> TrainingData:
    """Load the faces of one variant and prepare its cure.

    Weights, priors, densities and draws come from ``train`` alone. ``validation`` is only ever
    scored on.

    Args:
        images_path: Directory of image shards.
        train: Training split.
        validation: Validation split.
        variant: Cure for each output, and the resampling.
        imbalance: Parameters of the cures.
        model: Image size and age target.
        training: Selection distribution.
    """
    age_scale = AgeScale(model.age_target, train.labels.max_age)
    cure = prepare(variant, imbalance, train, age_scale)
    kept = train.subset(np.asarray(cure.rows))
    targets = _targets(kept, age_scale)
    return TrainingData(
        train=Faces(load_images(images_path, kept, model.image_size), targets, cure.sample_weights),
        validation=Faces(
            load_images(images_path, validation, model.image_size),
            _targets(validation, age_scale),
            dict.fromkeys(OUTPUTS, _selection_weights(validation, training)),
        ),
        cure=cure,
        age_scale=age_scale,
        ethnicity_classes=len(train.labels.ethnicities),
        initial_age=float(np.average(targets["age"][:, 0], weights=cure.probabilities)),
    )


def _targets(manifest: Manifest, age_scale: AgeScale) -> dict[str, npt.NDArray[Any]]:
    faces = manifest.faces
    return {
        "age": age_scale.encode(faces["age"].to_numpy())[:, None],
        "gender": faces["gender"].to_numpy(np.float32)[:, None],
        "ethnicity": faces["ethnicity"].to_numpy(np.int32)[:, None],
    }


def _selection_weights(validation: Manifest, training: TrainingSettings) -> npt.NDArray[np.float32]:
    """Return the weight of each validation face: one, or such that every non-empty cell counts the same."""
    if training.selection == "natural":
        return np.ones(len(validation), np.float32)
    cells = validation.cells()
    sizes = np.bincount(cells)
    weights = (1.0 / sizes[cells]).astype(np.float32)
    return np.asarray(weights / weights.mean(), np.float32)


def build_compiled(
    data: TrainingData,
    model: ModelSettings,
    training: TrainingSettings,
    hyperparameters: Hyperparameters,
) -> keras.Model:
    """Build the network and compile it with the variant's losses.

    Args:
        data: The variant's faces and cure.
        model: The network's settings.
        training: Epochs, loss weights and precision.
        hyperparameters: Learning rate, dense layers and dropout.
    """
    keras.config.set_dtype_policy(training.precision)
    network = build_network(model, hyperparameters, data.ethnicity_classes, data.age_scale, data.initial_age)
    rate: float | keras.optimizers.schedules.LearningRateSchedule = hyperparameters.learning_rate
    if training.learning_rate_schedule == "cosine":
        steps = training.epochs * math.ceil(len(data.train.images) / training.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(hyperparameters.learning_rate, decay_steps=steps)
    metrics = {
        "age": [keras.metrics.MeanAbsoluteError(name="mae")],
        "gender": [keras.metrics.BinaryAccuracy(name="accuracy", threshold=0.0)],
        "ethnicity": [MacroF1(data.ethnicity_classes)],
    }
    # A cure's weights belong in its loss, not in the metrics. Only balanced selection weighs metrics, and Keras
    # then weighs those of the training faces too.
    weighted = training.selection == "balanced"
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss=data.cure.losses,
        loss_weights=training.loss_weights.model_dump(),
        metrics=None if weighted else metrics,
        weighted_metrics=metrics if weighted else None,
        jit_compile=compile_with_xla(),
    )
    _create_variables(network, data)
    return network


def _create_variables(network: keras.Model, data: TrainingData) -> None:
    """Create the variables of the optimizer, the losses and the metrics.

    Left to the first step, they are created while that step is traced, and TensorFlow then traces it
    a second time: half of the start-up time of a training run.
    """
    network.optimizer.build(network.trainable_variables)
    targets = {name: values[:1] for name, values in data.train.targets.items()}
    outputs = network(data.train.images[:1].astype(np.float32), training=False)
    network.compute_loss(None, targets, outputs)
    network.compute_metrics(None, targets, outputs)
    network.reset_metrics()


class ValidationScore(keras.callbacks.Callback):
    """Log ``val_score``, the one number that tuning minimises over :data:`SELECTION_METRICS`.

    It is computed from raw predictions, so it is the same measure whatever loss a variant trains with.
    Callbacks after this one see it.
    """

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Add the score to the logs of the epoch."""
        if logs is not None:
            signs = {"min": 1, "max": -1}
            logs["val_score"] = sum(signs[goal] * logs[name] for name, goal in SELECTION_METRICS.items())


def watched_metric(training: TrainingSettings) -> str:
    """Return the name of what early stopping minimises."""
    return "val_score" if training.selection_metric == "score" else "val_loss"


def kept_epoch(history: Mapping[str, Sequence[float]], data: TrainingData, training: TrainingSettings) -> int:
    """Return the epoch, from 1, whose weights :func:`fit_network` left in the network.

    Args:
        history: One value per epoch for each loss and metric.
        data: The variant's faces and cure.
        training: What was watched.
    """
    if data.cure.deferred_weights is not None:
        return len(history["loss"])
    return int(np.argmin(history[watched_metric(training)])) + 1


def first_deferred_epoch(data: TrainingData, training: TrainingSettings) -> int:
    """Return the first epoch, from 0, with the cure's deferred weights; 0 for a cure without them."""
    if data.cure.deferred_weights is None:
        return 0
    return training.epochs - max(1, round(training.epochs * data.cure.deferred_fraction))


def fit_network(
    network: keras.Model,
    data: TrainingData,
    training: TrainingSettings,
    augmentation: AugmentationSettings,
    seed: int,
    callbacks: list[keras.callbacks.Callback],
) -> keras.callbacks.History:
    """Train until what is watched stops falling; the network ends with its best epoch's weights.

    A cure with deferred weights trains for all epochs and keeps the last one, as its authors do (Cao et
    al. 2019): re-weighting raises the plain validation loss on purpose, so that the loss would always
    choose an epoch from before the cure.

    Args:
        network: What :func:`build_compiled` gave.
        data: The variant's faces and cure.
        training: Epochs, batch size and patience.
        augmentation: Random changes of the training images.
        seed: Fixes the order of the faces and the augmentation.
        callbacks: More callbacks, run after those that watch the validation.

    Returns:
        Keras's history: one value per epoch for each loss and metric.
    """
    deferred_epoch = first_deferred_epoch(data, training)
    batches, steps = training_batches(
        data.train,
        training.batch_size,
        augmentation,
        seed,
        probabilities=data.cure.probabilities,
        deferred_weights=data.cure.deferred_weights,
        deferred_from_epoch=deferred_epoch,
    )
    stopping = keras.callbacks.EarlyStopping(
        monitor=watched_metric(training), mode="min", patience=training.patience, restore_best_weights=True
    )
    watching = [ValidationScore(), *([stopping] if data.cure.deferred_weights is None else [])]
    return network.fit(
        batches,
        epochs=training.epochs,
        steps_per_epoch=steps,
        validation_data=validation_batches(data.validation, training.batch_size),
        callbacks=[*watching, *callbacks],
        verbose=0,
    )


class EpochLog(keras.callbacks.Callback):
    """Log one line an epoch: what runs, how far, and the validation metrics.

    Args:
        title: What is being trained, such as ``"baseline, seed 42"``.
        epochs: Most epochs.
    """

    def __init__(self, title: str, epochs: int) -> None:
        super().__init__()
        self.title = title
        self.epochs = epochs

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Log the epoch that ended."""
        logs = logs or {}
        shown = ("loss", "val_loss", *SELECTION_METRICS)
        numbers = "  ".join(f"{name} {logs[name]:.3f}" for name in shown if name in logs)
        _log.info("%s: epoch %d/%d  %s", self.title, epoch + 1, self.epochs, numbers)


class AfterEachEpoch(keras.callbacks.Callback):
    """Call a function with the epoch (from 0) and its logs."""

    def __init__(self, function: Callable[[int, dict[str, float]], None]) -> None:
        super().__init__()
        self.function = function

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Call the function."""
        self.function(epoch, dict(logs or {}))
