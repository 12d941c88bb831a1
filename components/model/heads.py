"""What the heads need beyond Keras's own layers: the bounds of the age."""

from typing import Any

import keras
from keras import ops


@keras.saving.register_keras_serializable(package="evenface")
class StraightThroughClip(keras.layers.Layer):
    """Clip values, but let the gradient through as if they were not clipped.

    A plain clip has no gradient outside its bounds: a unit that starts or drifts outside never
    comes back. Here the loss is computed on the clipped value and its gradient reaches the
    unclipped one (the straight-through estimator of Bengio et al. 2013). As every target lies
    inside the bounds, that gradient points back inside, or is zero for a target on the bound.

    Args:
        lower: Lowest output.
        upper: Highest output.

    Example:
        >>> clip = StraightThroughClip(0.0, 1.0)
        >>> [float(value) for value in clip(keras.ops.array([-3.0, 0.25, 7.0]))]
        [0.0, 0.25, 1.0]
    """

    def __init__(self, lower: float, upper: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.lower = lower
        self.upper = upper

    def call(self, inputs: Any) -> Any:
        """Return the clipped inputs, same shape."""
        return inputs + ops.stop_gradient(ops.clip(inputs, self.lower, self.upper) - inputs)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "lower": self.lower, "upper": self.upper}
