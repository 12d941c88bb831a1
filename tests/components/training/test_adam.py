"""The fused Adam takes the steps of Keras's own."""

import keras
import numpy as np
import pytest

from components.training.adam import FusedAdam


def trained_weights(optimizer):
    """Train a small network for ten steps."""
    keras.utils.set_random_seed(1)
    network = keras.Sequential([keras.Input((6,)), keras.layers.Dense(8, "relu"), keras.layers.Dense(2)])
    network.compile(optimizer, "mse", jit_compile=False)
    faces = np.random.default_rng(0).normal(size=(160, 6)).astype(np.float32)
    network.fit(faces, faces[:, :2] ** 2, batch_size=16, epochs=1, shuffle=False, verbose=0)
    return network.get_weights()


@pytest.mark.parametrize("amsgrad", [False, True])
def test_the_fused_update_is_adams(amsgrad):
    def rate():
        return keras.optimizers.schedules.CosineDecay(0.01, 10)

    expected = trained_weights(keras.optimizers.Adam(rate(), amsgrad=amsgrad))
    for fused, plain in zip(trained_weights(FusedAdam(rate(), amsgrad=amsgrad)), expected, strict=True):
        assert fused == pytest.approx(plain, abs=1e-6)


def test_the_fused_update_has_a_copy_on_each_device():
    import tensorflow as tf

    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        spread = trained_weights(FusedAdam(0.01))
    for mirrored, single in zip(spread, trained_weights(FusedAdam(0.01)), strict=True):
        assert mirrored == pytest.approx(single, abs=1e-6)


def test_with_a_weight_decay_it_is_adamw_and_biases_are_left_alone():
    def decayed(optimizer):
        optimizer.exclude_from_weight_decay(var_names=["bias"])
        return trained_weights(optimizer)

    # The decay is strong, so that a step without it would show.
    expected = decayed(keras.optimizers.AdamW(0.01, weight_decay=0.5))
    found = decayed(FusedAdam(0.01, weight_decay=0.5))
    for fused, plain, undecayed in zip(found, expected, trained_weights(FusedAdam(0.01)), strict=True):
        assert fused == pytest.approx(plain, abs=1e-6)
        assert fused.ndim == 1 or np.abs(fused - undecayed).max() > 1e-3
