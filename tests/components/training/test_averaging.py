"""The moving average of the weights, against its recursion in NumPy."""

import itertools

import keras
import numpy as np
import pytest

from components.training.averaging import WeightAverage, averaged_weights

FACES = np.random.default_rng(0).normal(3, 2, size=(40, 3)).astype(np.float32)
TRUTH = FACES.sum(axis=1, keepdims=True)


class Recorder(keras.callbacks.Callback):
    """Keeps the weights after every step and what was validated."""

    def __init__(self, network):
        super().__init__()
        self.network = network
        self.steps = [network.get_weights()]
        self.validated = []

    def on_train_batch_end(self, batch, logs=None):
        self.steps.append(self.network.get_weights())

    def on_test_batch_end(self, batch, logs=None):
        self.validated.append(self.network.get_weights())


def average_of(steps, first, momentum):
    """Return the average of the weights after each step; kernels lag by the step that is being taken."""
    averages = [first]
    for step, (before, after) in enumerate(itertools.pairwise(steps)):
        m = min(momentum, (1 + step) / (10 + step))
        # The batch's statistics are known before the step changes the kernels.
        seen = [new if moving else old for old, new, moving in zip(before, after, MOVING, strict=True)]
        averages.append([m * a + (1 - m) * w for a, w in zip(averages[-1], seen, strict=True)])
    return averages


MOVING = [False, False, True, True, False, False]


@pytest.fixture
def averaging():
    """Build a small network that averages its weights."""
    keras.utils.set_random_seed(1)
    inputs = keras.Input((3,))
    network = keras.Sequential([keras.layers.BatchNormalization(momentum=0.8), keras.layers.Dense(1)])
    model = keras.Model(inputs, WeightAverage(network, 0.6)(network(inputs)))
    model.compile(keras.optimizers.Adam(0.1), "mse", jit_compile=False)
    return model, network


def test_the_average_follows_its_recursion_and_is_validated_and_kept(averaging):
    model, network = averaging
    recorder, kept = Recorder(network), averaged_weights(model)
    options = {"batch_size": 10, "shuffle": False, "validation_data": (FACES, TRUTH), "validation_batch_size": 40}
    history = model.fit(FACES, TRUTH, epochs=3, verbose=0, callbacks=[*kept, recorder], **options).history
    expected = average_of(recorder.steps, recorder.steps[0], 0.6)
    for epoch, validated in enumerate(recorder.validated, start=1):
        for found, wanted in zip(validated, expected[4 * epoch], strict=True):
            np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    for found, wanted in zip(network.get_weights(), expected[-1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)
    loss = np.mean((network.predict(FACES, verbose=0) - TRUTH) ** 2)
    assert history["val_loss"][-1] == pytest.approx(loss, rel=1e-5)


def test_a_second_fit_averages_anew(averaging):
    model, network = averaging
    model.fit(FACES, TRUTH, verbose=0, batch_size=40, callbacks=averaged_weights(model))
    before = network.get_weights()
    recorder = Recorder(network)
    model.fit(FACES, TRUTH, verbose=0, batch_size=40, callbacks=[*averaged_weights(model), recorder])
    for found, wanted in zip(network.get_weights(), average_of(recorder.steps, before, 0.6)[-1], strict=True):
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6)


def test_a_model_without_an_average_has_no_callback():
    assert averaged_weights(keras.Sequential([keras.Input((3,)), keras.layers.Dense(1)])) == []
