import keras
import numpy as np
import pytest

from components.model.heads import StraightThroughClip


@pytest.mark.parametrize("start", [-50.0, 50.0])
def test_an_age_head_that_starts_outside_its_bounds_comes_back(start):
    inputs = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    targets = np.full((64, 1), 3.0, "float32")
    keras.utils.set_random_seed(0)  # the layer's weights too are random
    network = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(start)),
            StraightThroughClip(0.0, 4.4),
        ]
    )
    network.compile(keras.optimizers.SGD(1.0), "mean_absolute_error", jit_compile=False)
    network.fit(inputs, targets, batch_size=8, epochs=12, verbose=0)
    assert float(np.abs(network.predict(inputs, verbose=0) - 3.0).mean()) < 1.0


def test_a_plain_clip_never_comes_back():
    # The reason for the straight-through clip: without it the same network stays where it started.
    network = keras.Sequential(
        [
            keras.Input((4,)),
            keras.layers.Dense(1, bias_initializer=keras.initializers.Constant(50.0)),
            keras.layers.Lambda(lambda values: keras.ops.clip(values, 0.0, 4.4)),
        ]
    )
    network.compile(keras.optimizers.SGD(1.0), "mean_absolute_error", jit_compile=False)
    inputs = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    network.fit(inputs, np.full((64, 1), 3.0, "float32"), batch_size=8, epochs=12, verbose=0)
    assert network.predict(inputs, verbose=0) == pytest.approx(4.4)


def test_the_clip_survives_serialisation():
    layer = StraightThroughClip(0.5, 2.5)
    copy = keras.layers.deserialize(keras.layers.serialize(layer))
    assert (copy.lower, copy.upper) == (0.5, 2.5)
