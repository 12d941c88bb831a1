"""Mean-variance loss of the age (Pan et al. 2018, CVPR, doi 10.1109/CVPR.2018.00554)."""

from typing import Any, Literal

import keras
from keras import ops

from components.dataset.age_scale import AgeScale
from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.whole_years import ages_like, expected_years, years_of


@keras.saving.register_keras_serializable(package="evenface")
class MeanVariance(CureLoss):
    """Cross-entropy of the true age, with a mean close to it and a small variance.

    With p the softmax of the logits over the ages k, m = Σ k p_k and v = Σ (k − m)² p_k, the loss is
    ``factor · (−log p_age + mean_weight · (m − age)² / 2 + variance_weight · v)``.

    Args:
        max_age: Highest age, in years; a face has one logit per age from 1 on.
        age_target: Scale of the targets, as in :class:`~components.dataset.age_scale.AgeScale`.
        mean_weight: Weight of the squared error of the mean, per square year. Default 0.2.
        variance_weight: Weight of the variance, per square year. Default 0.05.
        factor: Factor on the loss. Default 1.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> loss = MeanVariance(2, age_target="years", mean_weight=1.0, variance_weight=1.0)
        >>> round(float(loss([[1.0]], [[0.0, 0.0]])), 4)  # log 2, an eighth and a quarter
        1.0681
    """

    def __init__(
        self,
        max_age: int,
        *,
        age_target: Literal["log_age", "years"] = "log_age",
        mean_weight: float = 0.2,
        variance_weight: float = 0.05,
        factor: float = 1.0,
        name: str = "mean_variance",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.max_age = max_age
        self.age_target = age_target
        self.mean_weight = mean_weight
        self.variance_weight = variance_weight
        self.factor = factor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``, from targets and logits ``[batch, ages]``."""
        logits = ops.cast(y_pred, "float32")
        ages, years = ages_like(logits), years_of(y_true, AgeScale(self.age_target, self.max_age))
        probabilities = ops.softmax(logits)
        mean = expected_years(probabilities)
        variance = ops.sum(probabilities * ops.square(ages - mean), axis=-1)
        is_true = ops.cast(ops.equal(ages, years), "float32")
        entropy = -ops.sum(is_true * ops.log_softmax(logits), axis=-1)
        squared = ops.square(mean - years)[:, 0]
        return self.factor * (entropy + self.mean_weight * squared / 2.0 + self.variance_weight * variance)
