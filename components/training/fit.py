"""Fitting a compiled network; shared by the stages tune and train."""

import keras
import tensorflow as tf

from components.imbalance.plan import TrainingPlan
from components.training.averaging import averaged_weights
from components.training.batches import training_batches, validation_batches
from components.training.callbacks import EarlyStopping, ValidationScore
from components.training.data import TrainingData
from components.training.devices import shared_batch
from components.training.recipe import Recipe
from components.training.selection import watched_metric


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
    choose an epoch before the re-weighting.

    Args:
        model: A model from :func:`~components.training.compiled.build_compiled`.
        data: The variant's faces and plan.
        recipe: Epochs, batch size, patience and augmentation.
        seed: Fixes the order of the faces and the augmentation.
        callbacks: More callbacks, run after those that watch the validation.
    """
    training, plan, wanted = recipe.training, data.plan, recipe.training.faces_per_step
    batches, steps = training_batches(
        data.train,
        shared_batch(len(data.train.images), wanted),
        recipe.augmentation,
        seed,
        probabilities=plan.probabilities,
        deferred_weights=plan.deferred_weights,
        deferred_from_epoch=first_deferred_epoch(plan, training.epochs),
    )
    stopping = EarlyStopping(
        monitor=watched_metric(training), mode="min", patience=training.patience, restore_best_weights=True
    )
    watching = [ValidationScore(), *([stopping] if plan.deferred_weights is None else [])]
    return model.fit(
        batches,
        epochs=training.epochs,
        steps_per_epoch=steps,
        validation_data=validation_batches(data.validation, shared_batch(len(data.validation.images), wanted)),
        callbacks=[*watching, *averaged_weights(model), *callbacks],
        verbose=0,
    )


def first_deferred_epoch(plan: TrainingPlan, epochs: int) -> int:
    """Return the first epoch, from 0, that uses the plan's deferred weights; 0 for a plan without them."""
    if plan.deferred_weights is None:
        return 0
    return epochs - max(1, round(epochs * plan.deferred_fraction))
