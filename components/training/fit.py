"""Fitting a compiled network; shared by the stages tune and train."""

import logging
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace

import keras
import tensorflow as tf

from components.imbalance.plan import SecondStage, TrainingPlan
from components.model.stages import freeze_body, normalise_head, renew_heads
from components.training.averaging import averaged_weights
from components.training.batches import training_batches, validation_batches
from components.training.callbacks import EarlyStopping, Resumable, ValidationScore
from components.training.checkpoint import Checkpoint, Keeping, Progress
from components.training.compiled import compile_model, create_variables, steps_per_epoch, trained_network
from components.training.data import TrainingData
from components.training.devices import shared_batch
from components.training.feature_smoothing import smoothed_features
from components.training.recipe import Recipe
from components.training.selection import watched_metric
from components.training.settings import TrainingSettings

_log = logging.getLogger(__name__)

History = Mapping[str, list[float]]
"""The logs of all epochs, by name."""


def seed_everything(seed: int, *, deterministic: bool) -> None:
    """Seed Python, NumPy and the back end, and choose deterministic kernels if asked."""
    keras.utils.set_random_seed(seed)
    if deterministic:
        tf.config.experimental.enable_op_determinism()


def fit_network(
    model: keras.Model,
    data: TrainingData,
    recipe: Recipe,
    seed: int,
    callbacks: list[keras.callbacks.Callback],
    checkpoint: Checkpoint | None = None,
) -> keras.callbacks.History:
    """Train until the watched quantity stops falling; the model ends up with its best epoch's weights.

    A plan with deferred weights trains for all epochs and keeps the last one, as its authors do (Cao et
    al. 2019): re-weighting raises the plain validation loss on purpose, so that loss would always
    choose an epoch before the re-weighting. A second stage is trained to its end for the same reason; it starts from
    the epoch that the first one keeps.

    With a checkpoint the training is kept after every epoch, and in the middle of one when SIGTERM or Ctrl-C ends
    it; the same training, begun again in another process, goes on from there and ends with the numbers of one that
    was never interrupted (equal bytes with deterministic kernels on the same machine).

    Args:
        model: A model from :func:`~components.training.compiled.build_compiled`.
        data: The variant's faces and plan.
        recipe: Epochs, batch size, patience and augmentation.
        seed: Fixes the order of the faces and the augmentation.
        callbacks: More callbacks, run after those that watch the validation. At the end of an epoch, ``model.history``
            has it and all epochs before it, those that another process trained too.
        checkpoint: Where the training is kept; None keeps nothing.

    Returns:
        The history of all epochs, of both stages.
    """
    fitting = _Fitting(model, data, recipe, seed, callbacks, checkpoint)
    progress = checkpoint.read() if checkpoint else None
    if progress is not None:
        _log.info("the training goes on where it stopped, after %d epochs and %d steps", progress.epoch, progress.step)
    plan, training = data.plan, recipe.training
    if progress is not None and progress.stage:
        # The heads are about to be replaced by those of the second stage, and the body comes with its state.
        history = progress.history
    else:
        stopping = EarlyStopping(
            monitor=watched_metric(training), mode="min", patience=training.patience, restore_best_weights=True
        )
        watching = None if plan.deferred_weights is not None else stopping
        history = fitting.run(range(training.epochs), progress, stopping=watching)
    if plan.second_stage is not None:
        history = _retrain_heads(fitting, plan.second_stage, history, progress if progress and progress.stage else None)
    for name, power in plan.norm_powers.items():
        normalise_head(trained_network(model), name, power)
    whole: keras.callbacks.History = model.history
    whole.history, whole.epoch = dict(history), list(range(len(history["loss"])))
    return whole


def planned_epochs(plan: TrainingPlan, training: TrainingSettings) -> int:
    """Return the largest number of epochs that a plan trains for, both stages together."""
    return training.epochs + (plan.second_stage.epochs if plan.second_stage else 0)


@dataclass(frozen=True)
class _Fitting:
    """What the stages of one training have in common."""

    model: keras.Model
    data: TrainingData
    recipe: Recipe
    seed: int
    callbacks: list[keras.callbacks.Callback]
    checkpoint: Checkpoint | None

    def run(
        self,
        epochs: range,
        progress: Progress | None,
        *,
        stage: int = 0,
        history: History | None = None,
        stopping: EarlyStopping | None = None,
    ) -> History:
        """Train one stage and return the history up to its end.

        Args:
            epochs: Its epochs, those of the stage before it counted too.
            progress: Where it was interrupted; None for its beginning.
            stage: Its number.
            history: History of the stage before it.
            stopping: What ends it early.
        """
        plan, wanted = self.data.plan, self.recipe.training.faces_per_step
        checked = shared_batch(len(self.data.validation.images), wanted)
        validation = validation_batches(self.data.validation, checked, mixing=plan.mixing)
        smoothing = smoothed_features(self.model, self.data, wanted)
        batch_size = shared_batch(len(self.data.train.images), wanted)
        steps = steps_per_epoch(self.data, self.recipe)
        progress = progress or Progress.beginning(stage, epochs.start, history or {})
        while True:
            resumable: list[Resumable] = [*([stopping] if stopping else []), *smoothing]
            history_so_far = keras.callbacks.History()
            history_so_far.history = {name: list(values) for name, values in progress.history.items()}
            keeping = Keeping(self.checkpoint, progress, epochs=epochs.stop, resumable=resumable)
            first, made = progress.epoch, progress.step
            batches, _ = training_batches(
                self.data.train,
                batch_size,
                self.recipe.augmentation,
                self.seed,
                probabilities=plan.probabilities,
                deferred_weights=plan.deferred_weights,
                deferred_from_epoch=first_deferred_epoch(plan, len(epochs)),
                mixing=plan.mixing,
                mixed_epochs=mixed_epochs(plan, len(epochs)),
                first_step=(first - epochs.start) * steps + made,
            )
            try:
                self.model.fit(
                    batches,
                    initial_epoch=first,
                    # Keras begins no epoch in its middle, so what is left of one is trained for itself. A stage that
                    # has ended trains nothing more; its best weights are brought back.
                    epochs=first if progress.ended else first + 1 if made else epochs.stop,
                    steps_per_epoch=steps - made,
                    validation_data=validation,
                    callbacks=[
                        ValidationScore(self.data.labels.outputs),
                        *resumable,
                        *averaged_weights(self.model),
                        history_so_far,
                        *self.callbacks,
                        keeping,
                    ],
                    verbose=0,
                )
            except (SystemExit, KeyboardInterrupt):
                keeping.keep_interrupted(batch_size, steps)
                raise
            progress = keeping.progress
            if progress.ended:
                return progress.history


def _retrain_heads(fitting: _Fitting, stage: SecondStage, first: History, progress: Progress | None) -> History:
    """Train new heads on the body that the first stage left; return the history of both stages."""
    _log.info("the heads are trained anew for %d epochs, everything before them frozen", stage.epochs)
    model, data, recipe = fitting.model, fitting.data, fitting.recipe
    data = replace(data, train=replace(data.train, weights=stage.plan.sample_weights), plan=stage.plan)
    network = trained_network(model)
    freeze_body(network)
    renew_heads(network)
    steps = stage.epochs * steps_per_epoch(data, recipe)
    with model.distribute_strategy.scope() if keras.backend.backend() == "tensorflow" else nullcontext():
        compile_model(model, data, recipe, keras.optimizers.schedules.CosineDecay(stage.learning_rate, steps))
    create_variables(model, data)
    done = progress.first_epoch if progress else len(first["loss"])
    return replace(fitting, data=data).run(range(done, done + stage.epochs), progress, stage=1, history=first)


def first_deferred_epoch(plan: TrainingPlan, epochs: int) -> int:
    """Return the first epoch, from 0, that uses the plan's deferred weights; 0 for a plan without them."""
    if plan.deferred_weights is None:
        return 0
    return epochs - max(1, round(epochs * plan.deferred_fraction))


def mixed_epochs(plan: TrainingPlan, epochs: int) -> int:
    """Return how many epochs, from the first on, mix faces; 0 for a plan that mixes none."""
    return 0 if plan.mixing is None else epochs - round(epochs * plan.mixing.unmixed_fraction)
