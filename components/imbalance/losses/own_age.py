"""The error of the age that was predicted for the face's own age."""

from typing import Any, Literal

import keras
from keras import ops

from components.dataset.age_scale import AgeScale
from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.whole_years import years_of


@keras.saving.register_keras_serializable(package="evenface")
class OwnAge(CureLoss):
    """Absolute error of one of several predictions: that for faces of the true age.

    Args:
        max_age: Highest age, in years.
        age_target: Scale of the targets, as in :class:`~components.dataset.age_scale.AgeScale`.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> loss = OwnAge(2, age_target="years")
        >>> round(float(loss([[1.0]], [[0.7, 0.4, 0.75]])), 4)  # The target is age 2.
        0.25
    """

    def __init__(
        self,
        max_age: int,
        *,
        age_target: Literal["log_age", "years"] = "log_age",
        name: str = "own_age",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.max_age = max_age
        self.age_target = age_target

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``.

        Args:
            y_true: Targets, shape ``[batch, 1]``.
            y_pred: Predictions on their scale, shape ``[batch, 1 + ages]``: whatever the age, then for each age.
        """
        scores = ops.cast(y_pred, "float32")
        years = years_of(y_true, AgeScale(self.age_target, self.max_age))
        own = ops.take_along_axis(scores, ops.cast(years, "int32"), axis=1)
        return ops.abs(own - ops.reshape(ops.cast(y_true, "float32"), (-1, 1)))[:, 0]
