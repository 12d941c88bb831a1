"""What lies between the network's features and its outputs."""

from dataclasses import dataclass
from typing import Any, Protocol

import keras
from keras import ops

from components.dataset.age_scale import AgeScale


class Head(Protocol):
    """The last part of the network for one output; a cure may bring its own.

    A loss may need more of a face than the one number that is served, such as a probability for each age. So a
    head has two halves: its layers give the loss its scores, and ``read`` turns the scores into the output.
    """

    def scores(self, features: Any, name: str) -> Any:
        """Return what the loss takes from features ``[batch, features]``, shape ``[batch, scores]``.

        It is float32 even under a mixed policy, as losses are sums of small differences. Called once for each
        network; ``name`` is the output's, for the layers.
        """

    def read(self, scores: Any) -> Any:
        """Return the output that scores stand for, in the form that :func:`build_network` promises.

        For a classified output that is the scores themselves: its losses and metrics take logits.
        """


@dataclass(frozen=True)
class BoundedAge:
    """The plain head of the age: one unit, clipped to the bounds of its scale.

    Attributes:
        age_scale: Scale and bounds.
        start: Bias that the unit starts from, on the scale.
    """

    age_scale: AgeScale
    start: float

    def scores(self, features: Any, name: str) -> Any:
        """Return the age on its scale, ``[batch, 1]``."""
        start = keras.initializers.Constant(self.start)
        unbounded = keras.layers.Dense(1, bias_initializer=start, dtype="float32", name=f"{name}_unbounded")
        clip = StraightThroughClip(self.age_scale.lower, self.age_scale.upper, dtype="float32", name=name)
        return clip(unbounded(features))

    def read(self, scores: Any) -> Any:
        """Return the scores."""
        return scores


@dataclass(frozen=True)
class Logits:
    """The plain head of a classified output.

    Attributes:
        units: Number of logits: one for two classes, one per class of more.
    """

    units: int

    def scores(self, features: Any, name: str) -> Any:
        """Return the logits, ``[batch, units]``."""
        return keras.layers.Dense(self.units, dtype="float32", name=name)(features)

    def read(self, scores: Any) -> Any:
        """Return the scores."""
        return scores


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
