"""The network compiled with a variant's losses, metrics and optimizer."""

import math
from typing import Any

import keras
import tensorflow as tf

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels
from components.dataset.outputs import Kind, Output
from components.model.heads import Head
from components.model.network import NETWORK_NAME, build_network, scores_key
from components.model.settings import Hyperparameters
from components.training.adam import FusedAdam
from components.training.augmentation import Augmentation, no_changes
from components.training.averaging import WeightAverage
from components.training.callbacks import YEARS_METRIC
from components.training.data import TrainingData
from components.training.devices import compile_with_xla, distribution, fastest_precision, shared_batch
from components.training.group_dro import GroupDRO
from components.training.macro_f1 import MacroF1
from components.training.mixing import Mix, MixedFaces, no_mix, pair_inputs
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings
from components.training.smoothing import SmoothedLoss


def build_compiled(data: TrainingData, recipe: Recipe, hyperparameters: Hyperparameters) -> keras.Model:
    """Build the network with the augmentation before it, and compile it with the variant's losses.

    Several GPUs hold a copy each and share every batch; an active ``tf.distribute`` strategy is used instead.

    Args:
        data: The variant's faces and plan.
        recipe: What to train; its ``batch_size`` is a number.
        hyperparameters: Dense layers, dropout and learning rate.

    Returns:
        A model from the inputs of :func:`~components.training.batches.training_batches` to what the losses take: the
        network's outputs, or the scores that an output is read from.
    """
    strategy = distribution()
    devices = strategy.num_replicas_in_sync
    with strategy.scope():
        model = _build(data, recipe, hyperparameters, replicas=devices)
        if devices == 1:
            create_variables(model, data)
    return model


def trained_network(model: keras.Model) -> keras.Model:
    """Return the network inside a model from :func:`build_compiled`: from pixels to outputs, ready to be exported."""
    return model.get_layer(NETWORK_NAME)


def _build(data: TrainingData, recipe: Recipe, hyperparameters: Hyperparameters, replicas: int) -> keras.Model:
    training = recipe.training
    keras.config.set_dtype_policy(fastest_precision() if training.precision == "auto" else training.precision)
    # A copy sees a part of the batch; statistics of the whole batch make the numbers those of a single device.
    network = build_network(
        recipe.model,
        hyperparameters,
        data.labels,
        data.age_scale,
        data.initial_age,
        heads=data.plan.heads,
        synchronized=replicas > 1,
    )
    size = recipe.model.image_size
    inputs = _face_inputs(size)
    augmentation = Augmentation(enabled=recipe.augmentation.enabled, name="augmentation")
    images = augmentation(**inputs)
    if data.plan.mixing is not None:
        partners = _face_inputs(size, "partner_")
        mix = {name: keras.Input((width,), name=name) for name, width in (("box", 4), ("amount", 1))}
        images = Mix(name="mix")(images, augmentation(**partners), **mix)
        inputs = pair_inputs(inputs, partners, mix)
    outputs = network(images)
    scores = {name: outputs.get(scores_key(name), outputs[name]) for name in data.labels.outputs}
    if training.average_weights is not None:
        scores = WeightAverage(network, training.average_weights, name="average")(scores)
    name = "evenface_training"
    if data.plan.mixing is not None:
        model = MixedFaces(inputs, scores, name=name)
    elif data.plan.group_step is None:
        model = keras.Model(inputs, scores, name=name)
    else:
        model = GroupDRO(
            inputs,
            scores,
            name=name,
            step=data.plan.group_step,
            labels=data.labels,
            age_scale=data.age_scale,
            targets=data.train.targets,
        )
    compile_model(
        model, data, recipe, learning_rate(hyperparameters.learning_rate, training, steps_per_epoch(data, recipe))
    )
    return model


def _face_inputs(size: int, prefix: str = "") -> dict[str, keras.KerasTensor]:
    return {
        "images": keras.Input((size, size, 3), dtype="uint8", name=f"{prefix}images"),
        "transforms": keras.Input((6,), dtype="float32", name=f"{prefix}transforms"),
        "brightness": keras.Input((2,), dtype="float32", name=f"{prefix}brightness"),
    }


def compile_model(
    model: keras.Model,
    data: TrainingData,
    recipe: Recipe,
    rate: float | keras.optimizers.schedules.LearningRateSchedule,
) -> None:
    """Compile a model with a plan's losses and a new optimizer of what is trainable.

    Args:
        model: A model as :func:`build_compiled` returns.
        data: The faces and the plan.
        recipe: What to train; its ``batch_size`` is a number.
        rate: Learning rate.
    """
    training = recipe.training
    optimizer = FusedAdam(rate, weight_decay=training.weight_decay or None)
    optimizer.exclude_from_weight_decay([variable for variable in model.trainable_variables if variable.ndim < 2])
    metrics = {
        name: _metrics(output, data.labels, data.plan.heads.get(name), data.age_scale)
        for name, output in data.labels.outputs.items()
    }
    # A cure's weights belong in its loss, not in the metrics. Only balanced selection weights metrics, and Keras
    # then weights those of the training faces too.
    weighted = training.selection == "balanced"
    model.compile(
        optimizer=optimizer,
        loss={name: _loss(output, data, training) for name, output in data.labels.outputs.items()},
        loss_weights=training.loss_weights.model_dump(include=set(data.labels.outputs)),
        metrics=None if weighted else metrics,
        weighted_metrics=metrics if weighted else None,
        jit_compile=compile_with_xla(),
        steps_per_execution=_largest_divisor(steps_per_epoch(data, recipe), training.steps_per_execution),
    )


def create_variables(model: keras.Model, data: TrainingData) -> None:
    """Create the variables of the optimizer, the losses and the metrics.

    Left to the first step, they are created while that step is traced, and TensorFlow then traces it
    a second time, which takes half of the start-up time of a training run.
    """
    model.optimizer.build(model.trainable_variables)
    targets = {name: values[:1] for name, values in data.train.targets.items()}
    inputs = {"images": tf.zeros([1, *data.train.images.shape[1:]], tf.uint8), **no_changes(1)}
    if data.plan.mixing is not None:
        inputs = pair_inputs(inputs, inputs, no_mix(1, data.train.images.shape[1]))
    outputs = model(inputs, training=False)
    model.compute_loss(None, targets, outputs, training=False)
    model.compute_metrics(None, targets, outputs)
    model.reset_metrics()


def steps_per_epoch(data: TrainingData, recipe: Recipe) -> int:
    """Return the number of training steps in an epoch."""
    faces = len(data.train.images)
    return math.ceil(faces / shared_batch(faces, recipe.training.faces_per_step))


def learning_rate(
    rate: float, training: TrainingSettings, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Return the learning rate over a training run.

    Args:
        rate: The tuned learning rate.
        training: Schedule, warm-up and epochs.
        steps: Steps in an epoch.

    Returns:
        A number where it stays the same. A warm-up of w steps rises in equal parts from ``rate / w`` in the first
        step to ``rate`` in step w + 1; a cosine then falls to zero over the steps that are left.
    """
    cosine = training.learning_rate_schedule == "cosine"
    warmup_steps = training.warmup_epochs * steps
    decay_steps = training.epochs * steps - warmup_steps
    if not warmup_steps:
        return keras.optimizers.schedules.CosineDecay(rate, decay_steps) if cosine else rate
    # Down to alpha = 1 of the rate is no decay.
    return keras.optimizers.schedules.CosineDecay(
        rate / warmup_steps, decay_steps, alpha=float(not cosine), warmup_target=rate, warmup_steps=warmup_steps
    )


def _largest_divisor(steps: int, limit: int) -> int:
    """Return into how many steps at once an epoch divides: Keras would run the last execution beyond its end."""
    return next(divisor for divisor in range(min(steps, limit), 0, -1) if steps % divisor == 0)


def _loss(output: Output, data: TrainingData, training: TrainingSettings) -> keras.losses.Loss:
    if output.name in data.plan.losses:
        # Smoothing gives every class the same share, and a loss that is corrected for the classes' shares would then
        # favour the rare ones.
        return data.plan.losses[output.name]
    plain = _plain_loss(output)
    if not (output.is_classified and training.label_smoothing):
        return plain
    return SmoothedLoss(plain, len(data.labels.names(output.name)), training.label_smoothing)


def _plain_loss(output: Output) -> keras.losses.Loss:
    loss = getattr(keras.losses, output.plain_loss)
    return loss(from_logits=True) if output.is_classified else loss()


def _metrics(output: Output, labels: Labels, head: Head | None, scale: AgeScale) -> list[keras.metrics.Metric]:
    """Return an output's metric, and for an age the same in years, for people."""
    # Keras puts the output's name before that of a metric only where there are several outputs.
    prefix = "" if len(labels.outputs) > 1 else f"{output.name}_"
    metric = _metric(output, labels, head, f"{prefix}{output.metric}")
    if output.kind is not Kind.REGRESSION:
        return [metric]

    def years(values: Any) -> Any:
        return keras.ops.exp(values) if scale.target == "log_age" else values * scale.max_age

    def error(truth: Any, scores: Any) -> Any:
        ages = scores if head is None else head.read(scores)
        return keras.losses.mean_absolute_error(years(truth), years(ages))

    return [metric, keras.metrics.MeanMetricWrapper(error, name=YEARS_METRIC)]


def _metric(output: Output, labels: Labels, head: Head | None, name: str) -> keras.metrics.Metric:
    """Return an output's metric; it takes what the loss takes, so it reads the output from scores first."""
    if output.kind is Kind.REGRESSION:
        if head is None:
            return keras.metrics.MeanAbsoluteError(name=name)

        def error(truth: Any, scores: Any) -> Any:
            return keras.losses.mean_absolute_error(truth, head.read(scores))

        return keras.metrics.MeanMetricWrapper(error, name=name)
    if output.kind is Kind.BINARY:
        return keras.metrics.BinaryAccuracy(name=name, threshold=0.0)
    return MacroF1(len(labels.names(output.name)), name=name)
