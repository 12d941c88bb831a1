"""The fused layer computes what Keras's own does."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from components.model.batch_norm import BatchNormalization


def both(**config):
    """Return Keras's layer and the fused one, with the same random weights."""
    layers = [
        kind(momentum=0.9, epsilon=1e-3, **config) for kind in (keras.layers.BatchNormalization, BatchNormalization)
    ]
    generator = np.random.default_rng(0)
    weights = [generator.uniform(0.5, 2, 5).astype(np.float32) for _ in range(4)]
    for layer in layers:
        layer.build((None, 6, 7, 5))
        layer.set_weights(weights)
    return layers


def images(seed=1):
    return tf.constant(np.random.default_rng(seed).normal(3, 2, (4, 6, 7, 5)).astype(np.float32))


@pytest.mark.parametrize("training", [False, True])
def test_outputs_gradients_and_moving_statistics_are_kerass(training):
    results = []
    for layer in both():
        inputs = images()
        with tf.GradientTape() as tape:
            tape.watch(inputs)
            outputs = layer(inputs, training=training)
            loss = tf.reduce_sum(tf.sin(outputs))
        gradients = tape.gradient(loss, [inputs, *[weight.value for weight in layer.trainable_variables]])
        results.append([outputs, *gradients, *[weight.value for weight in layer.non_trainable_variables]])
    for theirs, ours in zip(*results, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_many_steps_leave_the_same_moving_statistics():
    theirs, ours = both()
    for seed in range(30):
        theirs(images(seed), training=True)
        ours(images(seed), training=True)
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5)


def test_a_frozen_layer_uses_and_keeps_its_moving_statistics():
    _, ours = both()
    ours.trainable = False
    before = ours.get_weights()
    np.testing.assert_allclose(ours(images(), training=True), ours(images(), training=False))
    assert all((a == b).all() for a, b in zip(before, ours.get_weights(), strict=True))


def test_half_precision_and_other_shapes_go_through():
    half = BatchNormalization(dtype="mixed_float16")
    assert half(tf.cast(images(), tf.float16), training=True).dtype == tf.float16
    flat = BatchNormalization()
    assert flat(tf.ones((3, 2)), training=True).shape == (3, 2)
