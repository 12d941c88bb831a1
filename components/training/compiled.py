"""The network compiled with a variant's losses, metrics and optimizer."""

import math

import keras
import numpy as np
import tensorflow as tf

from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS, Kind, Output
from components.model.network import build_network
from components.model.settings import Hyperparameters
from components.training.data import TrainingData
from components.training.macro_f1 import MacroF1
from components.training.recipe import Recipe


def build_compiled(data: TrainingData, recipe: Recipe, hyperparameters: Hyperparameters) -> keras.Model:
    """Build the network and compile it with the variant's losses."""
    training = recipe.training
    keras.config.set_dtype_policy(training.precision)
    network = build_network(recipe.model, hyperparameters, data.labels, data.age_scale, data.initial_age)
    rate: float | keras.optimizers.schedules.LearningRateSchedule = hyperparameters.learning_rate
    if training.learning_rate_schedule == "cosine":
        steps = training.epochs * math.ceil(len(data.train.images) / training.batch_size)
        rate = keras.optimizers.schedules.CosineDecay(hyperparameters.learning_rate, decay_steps=steps)
    metrics = {name: [_metric(output, data.labels)] for name, output in OUTPUTS.items()}
    # A cure's weights belong in its loss, not in the metrics. Only balanced selection weights metrics, and Keras
    # then weights those of the training faces too.
    weighted = training.selection == "balanced"
    network.compile(
        optimizer=keras.optimizers.Adam(rate),
        loss={name: data.plan.losses.get(name) or _plain_loss(output) for name, output in OUTPUTS.items()},
        loss_weights=training.loss_weights.model_dump(),
        metrics=None if weighted else metrics,
        weighted_metrics=metrics if weighted else None,
        jit_compile=compile_with_xla(),
    )
    _create_variables(network, data)
    return network


def compile_with_xla() -> bool:
    """Return whether XLA pays off: on a GPU it does; on a CPU it made this network 8 times slower."""
    return bool(tf.config.list_physical_devices("GPU"))


def _plain_loss(output: Output) -> keras.losses.Loss:
    loss = getattr(keras.losses, output.plain_loss)
    return loss(from_logits=True) if output.is_classified else loss()


def _metric(output: Output, labels: Labels) -> keras.metrics.Metric:
    if output.kind is Kind.REGRESSION:
        return keras.metrics.MeanAbsoluteError(name=output.metric)
    if output.kind is Kind.BINARY:
        return keras.metrics.BinaryAccuracy(name=output.metric, threshold=0.0)
    return MacroF1(len(labels.names(output.name)), name=output.metric)


def _create_variables(network: keras.Model, data: TrainingData) -> None:
    """Create the variables of the optimizer, the losses and the metrics.

    Left to the first step, they are created while that step is traced, and TensorFlow then traces it
    a second time, which takes half of the start-up time of a training run.
    """
    network.optimizer.build(network.trainable_variables)
    targets = {name: values[:1] for name, values in data.train.targets.items()}
    outputs = network(data.train.images[:1].astype(np.float32), training=False)
    network.compute_loss(None, targets, outputs)
    network.compute_metrics(None, targets, outputs)
    network.reset_metrics()
