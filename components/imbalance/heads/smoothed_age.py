"""The plain head of the age on features that are calibrated for each age while the network trains."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from components.dataset.age_scale import AgeScale


@dataclass(frozen=True)
class SmoothedAge:
    """A head of one unit, clipped to the bounds when it is read; its scores are the unit for each age's calibration.

    Attributes:
        age_scale: Scale and bounds of the age.
        start: Bias that the unit starts from, on the scale.
        window: How the statistics of the features are smoothed over the ages, summing to 1.
        momentum: Share that they keep of their former value.
    """

    age_scale: AgeScale
    start: float
    window: tuple[float, ...]
    momentum: float

    def scores(self, features: Any, name: str) -> Any:
        """Return the unclipped age on its scale, then the same for faces of each age from 1, ``[batch, 1 + ages]``."""
        unit = CalibratedUnit(
            self.age_scale.max_age, self.start, self.window, self.momentum, dtype="float32", name=name
        )
        return unit(features)

    def read(self, scores: Any) -> Any:
        """Return the age from the features as they are, clipped, ``[batch, 1]``."""
        return ops.clip(scores[:, :1], self.age_scale.lower, self.age_scale.upper)


@keras.saving.register_keras_serializable(package="evenface")
class CalibratedUnit(keras.layers.Layer):
    """A dense unit, and what it gives for calibrated features; without a calibration, or in use, they are the same.

    Args:
        ages: Number of ages, each with a calibration.
        start: Initial bias.
        window: For who computes the calibration: how statistics are smoothed over the ages.
        momentum: The share that they keep of their former value.
    """

    def __init__(self, ages: int, start: float, window: Sequence[float], momentum: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.ages = ages
        self.start = start
        self.window = list(window)
        self.momentum = momentum

    def build(self, input_shape: Any) -> None:
        """Create the unit's weights and a calibration that changes nothing."""
        features = input_shape[-1]
        self.kernel = self.add_weight(shape=(features, 1), initializer="glorot_uniform", name="kernel")
        self.bias = self.add_weight(shape=(1,), initializer=keras.initializers.Constant(self.start), name="bias")
        for name, initial in (("scale", "ones"), ("shift", "zeros")):
            # Copies of the network on several devices are told the same calibration.
            weight = self.add_weight(
                shape=(self.ages, features),
                initializer=initial,
                trainable=False,
                aggregation="only_first_replica",
                name=name,
            )
            setattr(self, name, weight)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the unit for features ``[batch, features]``, then for those of each age, ``[batch, 1 + ages]``."""
        plain = ops.matmul(inputs, self.kernel) + self.bias
        if not training:
            return ops.repeat(plain, 1 + self.ages, axis=1)
        kernels = self.scale * ops.transpose(self.kernel)
        offsets = ops.transpose(ops.matmul(self.shift, self.kernel)) + self.bias
        return ops.concatenate([plain, ops.matmul(inputs, ops.transpose(kernels)) + offsets], axis=1)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        own = {"ages": self.ages, "start": self.start, "window": self.window, "momentum": self.momentum}
        return {**super().get_config(), **own}
