"""A probability for every age."""

from dataclasses import dataclass
from typing import Any

import keras
from keras import ops

from components.dataset.age_scale import AgeScale
from components.imbalance.losses.whole_years import expected_years, targets_of
from components.imbalance.treatment import FloatArray


@dataclass(frozen=True)
class AgeDistribution:
    """A head with a logit for each age from 1 to the highest; the age is the mean of their softmax.

    The mean lies inside the bounds by itself, so nothing is clipped.

    Attributes:
        age_scale: Scale on which the age is read, and the highest age.
        start: Bias that each logit starts from, shape ``[ages]``.
    """

    age_scale: AgeScale
    start: FloatArray

    def scores(self, features: Any, name: str) -> Any:
        """Return the logits, ``[batch, ages]``."""
        start = keras.initializers.Constant(self.start)
        return keras.layers.Dense(len(self.start), bias_initializer=start, dtype="float32", name=name)(features)

    def read(self, scores: Any) -> Any:
        """Return the expected age on the scale, ``[batch, 1]``."""
        return targets_of(expected_years(ops.softmax(scores)), self.age_scale)
