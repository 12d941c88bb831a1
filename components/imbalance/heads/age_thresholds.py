"""For every age the probability of being older: the head of CORAL (Cao et al. 2020, arXiv 1901.07884)."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from components.dataset.age_scale import AgeScale
from components.imbalance.losses.whole_years import targets_of
from components.imbalance.treatment import FloatArray


@dataclass(frozen=True)
class AgeThresholds:
    """A head with a logit of "older than k" for each age k but the highest; they differ in their bias alone.

    The age is 1 plus the sum of the probabilities, its expected value. The authors instead count the probabilities
    above one half, which gives the median, in whole years.

    Attributes:
        age_scale: Scale on which the age is read, and the highest age.
        start: Bias that each logit starts from, shape ``[ages - 1]``.
    """

    age_scale: AgeScale
    start: FloatArray

    def scores(self, features: Any, name: str) -> Any:
        """Return the logits, ``[batch, ages - 1]``."""
        return SharedWeightLogits(self.start.tolist(), dtype="float32", name=name)(features)

    def read(self, scores: Any) -> Any:
        """Return the expected age on the scale, ``[batch, 1]``."""
        return targets_of(1.0 + ops.sum(ops.sigmoid(scores), axis=-1, keepdims=True), self.age_scale)


@keras.saving.register_keras_serializable(package="evenface")
class SharedWeightLogits(keras.layers.Layer):
    """A dense layer whose units have the same weights and a bias each.

    Args:
        start: Bias that each unit starts from.

    Example:
        >>> layer = SharedWeightLogits([1.0, -1.0])
        >>> layer.build((None, 1))
        >>> layer.set_weights([[[2.0]], [1.0, -1.0]])
        >>> [float(logit) for logit in layer(keras.ops.array([[3.0]]))[0]]
        [7.0, 5.0]
    """

    def __init__(self, start: list[float], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.start = start

    def build(self, input_shape: Any) -> None:
        """Create the weights ``[features, 1]`` and the biases ``[units]``."""
        self.kernel = self.add_weight(shape=(input_shape[-1], 1), initializer="glorot_uniform", name="kernel")
        start = keras.initializers.Constant(self.start)
        self.bias = self.add_weight(shape=(len(self.start),), initializer=start, name="bias")

    def call(self, inputs: Any) -> Any:
        """Return the logits, ``[batch, units]``."""
        return ops.matmul(inputs, self.kernel) + self.bias

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "start": self.start}
