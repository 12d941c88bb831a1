"""The exponential moving average of a network's weights."""

import math
from typing import Any

import keras
import numpy as np
from keras import ops


class WeightAverage(keras.layers.Layer):
    """Passes on a network's outputs and, while it trains, averages the network's weights.

    Each step moves the average by ``average ← m · average + (1 − m) · weights``, with the weights that the step starts
    from and ``m = min(momentum, (1 + t) / (10 + t))`` after t steps, as in ``tf.train.ExponentialMovingAverage``: the
    first weights, which are random, are soon forgotten. The moving statistics of batch normalisation are averaged
    too, so that they fit the averaged weights.

    A layer, because a step then has it wherever it runs: on any back end, compiled, and several at once.

    Args:
        network: Whose weights are averaged; built.
        momentum: Above 0 and below 1; 0.999 averages over about a thousand steps.
    """

    def __init__(self, network: keras.Model, momentum: float, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.network = network
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        """Create the average: all weights in one row, which takes far fewer operations than one for each."""
        size = sum(math.prod(weight.shape) for weight in self.network.weights)
        options = {"trainable": False, "aggregation": "only_first_replica"}
        self.average = self.add_weight(shape=(size,), name="average", **options)
        self.steps = self.add_weight(initializer="zeros", name="steps", **options)
        self.restart()

    def call(self, outputs: Any, training: bool | None = None) -> Any:
        """Return the network's outputs as they are."""
        if training:
            momentum = ops.minimum(self.momentum, (1.0 + self.steps) / (10.0 + self.steps))
            self.average.assign(momentum * self.average + (1.0 - momentum) * self._weights())
            self.steps.assign_add(1.0)
        return outputs

    def restart(self) -> None:
        """Begin a new average at the weights as they are."""
        self.steps.assign(0.0)
        self.average.assign(self._weights())

    def swap(self) -> None:
        """Exchange the network's weights and their average."""
        held, average = ops.convert_to_numpy(self._weights()), self.average.numpy()
        ends = np.cumsum([math.prod(weight.shape) for weight in self.network.weights])
        for weight, part in zip(self.network.weights, np.split(average, ends[:-1]), strict=True):
            weight.assign(part.reshape(weight.shape))
        self.average.assign(held)

    def _weights(self) -> Any:
        return ops.concatenate([ops.reshape(weight, (-1,)) for weight in self.network.weights])


class AveragedWeights(keras.callbacks.Callback):
    """Validate the averaged weights, train on with the others, and leave the averaged ones in the network.

    It comes after early stopping, which brings back the best epoch's weights together with their averages.

    Args:
        average: A layer of the model that trains.
    """

    def __init__(self, average: WeightAverage) -> None:
        super().__init__()
        self.average = average

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Begin a new average."""
        self.average.restart()

    def on_test_begin(self, logs: dict[str, float] | None = None) -> None:
        """Put the averaged weights into the network."""
        self.average.swap()

    def on_test_end(self, logs: dict[str, float] | None = None) -> None:
        """Put back the weights that train."""
        self.average.swap()

    def on_train_end(self, logs: dict[str, float] | None = None) -> None:
        """Leave the averaged weights in the network."""
        self.average.swap()


def averaged_weights(model: keras.Model) -> list[AveragedWeights]:
    """Return the callback that a model with a :class:`WeightAverage` trains with; none for a model without."""
    return [AveragedWeights(layer) for layer in model.layers if isinstance(layer, WeightAverage)]
