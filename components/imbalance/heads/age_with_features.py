"""The plain head of the age, whose loss sees the features too."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from components.dataset.age_scale import AgeScale


@dataclass(frozen=True)
class AgeWithFeatures:
    """A head of one unit, clipped to the bounds when it is read; its scores are the unit and then the features.

    Attributes:
        age_scale: Scale and bounds of the age.
        start: Bias that the unit starts from, on the scale.
    """

    age_scale: AgeScale
    start: float

    def scores(self, features: Any, name: str) -> Any:
        """Return the unclipped age on its scale and the features, ``[batch, 1 + features]``."""
        start = keras.initializers.Constant(self.start)
        age = keras.layers.Dense(1, bias_initializer=start, dtype="float32", name=name)(features)
        return ops.concatenate([age, ops.cast(features, "float32")], axis=-1)

    def read(self, scores: Any) -> Any:
        """Return the age, clipped, ``[batch, 1]``."""
        return ops.clip(scores[:, :1], self.age_scale.lower, self.age_scale.upper)
