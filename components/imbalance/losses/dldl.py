"""Label distribution learning of the age: DLDL-v2 (Gao et al. 2018, IJCAI, doi 10.24963/ijcai.2018/99)."""

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import ops

from components.dataset.age_scale import AgeScale
from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.whole_years import ages_like, expected_years, years_of


@keras.saving.register_keras_serializable(package="evenface")
class DLDL(CureLoss):
    """A distribution over the ages against a normal one around the true age, and its mean against that age.

    With p the softmax of ``logits + offset`` and t ∝ exp(−(k − age)² / (2 sigma²)) over the ages k, the loss is
    ``factor · (KL(t ‖ p) + l1_weight · |Σ k p_k − age|)``.

    Args:
        max_age: Highest age, in years; a face has one logit per age from 1 on.
        age_target: Scale of the targets, as in :class:`~components.dataset.age_scale.AgeScale`.
        sigma: Standard deviation of t, in years. Default 2.
        l1_weight: Weight of the error of the mean, per year. Default 1.
        offset: What is added to each logit, shape ``[ages]``, or None. The logarithm of the shares of the ages in
            training makes the unchanged logits those of a population with as many faces of every age, as in
            :class:`~components.imbalance.losses.logit_adjusted.LogitAdjusted`.
        factor: Factor on the loss. Default 1.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> loss = DLDL(2, age_target="years", sigma=0.1)
        >>> round(float(loss([[1.0]], [[0.0, 0.0]])), 4)  # The target is age 2: log 2, and half a year.
        1.1931
    """

    def __init__(
        self,
        max_age: int,
        *,
        age_target: Literal["log_age", "years"] = "log_age",
        sigma: float = 2.0,
        l1_weight: float = 1.0,
        offset: Sequence[float] | None = None,
        factor: float = 1.0,
        name: str = "dldl",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.max_age = max_age
        self.age_target = age_target
        self.sigma = sigma
        self.l1_weight = l1_weight
        self.offset = None if offset is None else [float(value) for value in offset]
        self.factor = factor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``, from targets and logits ``[batch, ages]``."""
        logits = ops.cast(y_pred, "float32")
        if self.offset is not None:
            logits = logits + ops.convert_to_tensor(self.offset, "float32")
        years = years_of(y_true, AgeScale(self.age_target, self.max_age))
        log_target = ops.log_softmax(-ops.square(ages_like(logits) - years) / (2.0 * self.sigma**2))
        divergence = ops.sum(ops.exp(log_target) * (log_target - ops.log_softmax(logits)), axis=-1)
        error = ops.abs(expected_years(ops.softmax(logits)) - years)[:, 0]
        return self.factor * (divergence + self.l1_weight * error)
