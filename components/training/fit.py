"""Fitting a compiled network; shared by the stages tune and train."""

import logging
from contextlib import nullcontext
from dataclasses import replace

import keras
import tensorflow as tf

from components.imbalance.plan import SecondStage, TrainingPlan
from components.model.stages import freeze_body, normalise_head, renew_heads
from components.training.averaging import averaged_weights
from components.training.batches import training_batches, validation_batches
from components.training.callbacks import EarlyStopping, ValidationScore
from components.training.compiled import compile_model, steps_per_epoch, trained_network
from components.training.data import TrainingData
from components.training.devices import shared_batch
from components.training.feature_smoothing import smoothed_features
from components.training.recipe import Recipe
from components.training.selection import watched_metric
from components.training.settings import TrainingSettings

_log = logging.getLogger(__name__)


def seed_everything(seed: int, *, deterministic: bool) -> None:
    """Seed Python, NumPy and the back end, and choose deterministic kernels if asked."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def fit_network(
    model: keras.Model, data: TrainingData, recipe: Recipe, seed: int, callbacks: list[keras.callbacks.Callback]
) -> keras.callbacks.History:
    """Train until the watched quantity stops falling; the model ends up with its best epoch's weights.

    A plan with deferred weights trains for all epochs and keeps the last one, as its authors do (Cao et
    al. 2019): re-weighting raises the plain validation loss on purpose, so that loss would always
    choose an epoch before the re-weighting. A second stage is trained to its end for the same reason; it starts from
    the epoch that the first one keeps.

    Args:
        model: A model from :func:`~components.training.compiled.build_compiled`.
        data: The variant's faces and plan.
        recipe: Epochs, batch size, patience and augmentation.
        seed: Fixes the order of the faces and the augmentation.
        callbacks: More callbacks, run after those that watch the validation.

    Returns:
        The history of all epochs, of both stages.
    """
    plan, training = data.plan, recipe.training
    stopping = EarlyStopping(
        monitor=watched_metric(training), mode="min", patience=training.patience, restore_best_weights=True
    )
    watching = [] if plan.deferred_weights is not None else [stopping]
    history = _fit(model, data, recipe, seed, [ValidationScore(), *watching], callbacks, range(training.epochs))
    if plan.second_stage is not None:
        history = _retrain_heads(model, data, plan.second_stage, recipe, seed, callbacks, history)
    for name, power in plan.norm_powers.items():
        normalise_head(trained_network(model), name, power)
    return history


def planned_epochs(plan: TrainingPlan, training: TrainingSettings) -> int:
    """Return the largest number of epochs that a plan trains for, both stages together."""
    return training.epochs + (plan.second_stage.epochs if plan.second_stage else 0)


def _fit(
    model: keras.Model,
    data: TrainingData,
    recipe: Recipe,
    seed: int,
    watching: list[keras.callbacks.Callback],
    callbacks: list[keras.callbacks.Callback],
    epochs: range,
) -> keras.callbacks.History:
    plan, wanted = data.plan, recipe.training.faces_per_step
    batches, steps = training_batches(
        data.train,
        shared_batch(len(data.train.images), wanted),
        recipe.augmentation,
        seed,
        probabilities=plan.probabilities,
        deferred_weights=plan.deferred_weights,
        deferred_from_epoch=first_deferred_epoch(plan, len(epochs)),
        mixing=plan.mixing,
        mixed_epochs=mixed_epochs(plan, len(epochs)),
    )
    smoothing = smoothed_features(model, data, wanted)
    checked = shared_batch(len(data.validation.images), wanted)
    return model.fit(
        batches,
        initial_epoch=epochs.start,
        epochs=epochs.stop,
        steps_per_epoch=steps,
        validation_data=validation_batches(data.validation, checked, mixing=plan.mixing),
        callbacks=[*watching, *smoothing, *averaged_weights(model), *callbacks],
        verbose=0,
    )


def _retrain_heads(
    model: keras.Model,
    data: TrainingData,
    stage: SecondStage,
    recipe: Recipe,
    seed: int,
    callbacks: list[keras.callbacks.Callback],
    first: keras.callbacks.History,
) -> keras.callbacks.History:
    """Train new heads on the body that the first stage left; return the history of both stages."""
    _log.info("the heads are trained anew for %d epochs, everything before them frozen", stage.epochs)
    data = replace(data, train=replace(data.train, weights=stage.plan.sample_weights), plan=stage.plan)
    network = trained_network(model)
    freeze_body(network)
    renew_heads(network)
    steps = stage.epochs * steps_per_epoch(data, recipe)
    with model.distribute_strategy.scope() if keras.backend.backend() == "tensorflow" else nullcontext():
        compile_model(model, data, recipe, keras.optimizers.schedules.CosineDecay(stage.learning_rate, steps))
    done = len(first.epoch)
    history = _fit(model, data, recipe, seed, [ValidationScore()], callbacks, range(done, done + stage.epochs))
    history.epoch = [*first.epoch, *history.epoch]
    history.history = {name: [*values, *history.history[name]] for name, values in first.history.items()}
    return history


def first_deferred_epoch(plan: TrainingPlan, epochs: int) -> int:
    """Return the first epoch, from 0, that uses the plan's deferred weights; 0 for a plan without them."""
    if plan.deferred_weights is None:
        return 0
    return epochs - max(1, round(epochs * plan.deferred_fraction))


def mixed_epochs(plan: TrainingPlan, epochs: int) -> int:
    """Return how many epochs, from the first on, mix faces; 0 for a plan that mixes none."""
    return 0 if plan.mixing is None else epochs - round(epochs * plan.mixing.unmixed_fraction)
