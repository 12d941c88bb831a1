"""The normalised classifier: logits from the angle between a face's features and each class's weights."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops


@dataclass(frozen=True)
class Cosine:
    """A head whose logits are ``scale · cos(features, weights of the class)``, without a bias.

    The length of a class's weights grows with its number of faces and lifts its logits everywhere; the angle does
    not (Kang et al. 2020, arXiv 1910.09217). LDAM and LMF set their margins on cosines, which lie in −1 … 1.

    Attributes:
        classes: Number of classes.
        scale: Factor on the cosines, above 0.
    """

    classes: int
    scale: float

    def scores(self, features: Any, name: str) -> Any:
        """Return the logits, ``[batch, classes]``; of two classes their difference, ``[batch, 1]``."""
        logits = CosineLogits(self.classes, self.scale, dtype="float32", name=name)(features)
        return logits[:, 1:] - logits[:, :1] if self.classes == 2 else logits

    def read(self, scores: Any) -> Any:
        """Return the scores."""
        return scores


@keras.saving.register_keras_serializable(package="evenface")
class CosineLogits(keras.layers.Layer):
    """A dense layer of unit weights on unit inputs.

    Args:
        units: Number of outputs.
        scale: Factor on the cosines.

    Example:
        >>> layer = CosineLogits(2, scale=30.0)
        >>> layer.build((None, 2))
        >>> layer.set_weights([[[2.0, 0.0], [0.0, 5.0]]])
        >>> [round(float(logit), 3) for logit in layer(keras.ops.array([[3.0, 4.0]]))[0]]
        [18.0, 24.0]
    """

    def __init__(self, units: int, scale: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.scale = scale

    def build(self, input_shape: Any) -> None:
        """Create the weights, ``[features, units]``."""
        self.kernel = self.add_weight(shape=(input_shape[-1], self.units), initializer="glorot_uniform", name="kernel")

    def call(self, inputs: Any) -> Any:
        """Return the logits, ``[batch, units]``; 0 for a face without features."""
        return self.scale * ops.matmul(_unit(inputs, axis=1), _unit(self.kernel, axis=0))

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "units": self.units, "scale": self.scale}


def _unit(vectors: Any, axis: int) -> Any:
    # The bound is inside the root: dropout and relu can leave no feature at all, where a norm has no gradient.
    return vectors * ops.rsqrt(ops.maximum(ops.sum(ops.square(vectors), axis=axis, keepdims=True), 1e-12))
