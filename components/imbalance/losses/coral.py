"""Rank-consistent ordinal regression of the age: CORAL (Cao et al. 2020, arXiv 1901.07884)."""

from typing import Any, Literal

import keras
from keras import ops

from components.dataset.age_scale import AgeScale
from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.whole_years import ages_like, years_of


@keras.saving.register_keras_serializable(package="evenface")
class CORAL(CureLoss):
    """The sum, over all ages k but the highest, of the binary cross-entropies of "older than k".

    Args:
        max_age: Highest age, in years; a face has ``max_age - 1`` logits.
        age_target: Scale of the targets, as in :class:`~components.dataset.age_scale.AgeScale`.
        factor: Factor on the loss. Default 1.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> round(float(CORAL(3, age_target="years")([[1.0]], [[0.0, 0.0]])), 4)  # twice log 2
        1.3863
    """

    def __init__(
        self,
        max_age: int,
        *,
        age_target: Literal["log_age", "years"] = "log_age",
        factor: float = 1.0,
        name: str = "coral",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.max_age = max_age
        self.age_target = age_target
        self.factor = factor

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``, from targets and logits ``[batch, ages - 1]``."""
        logits = ops.cast(y_pred, "float32")
        years = years_of(y_true, AgeScale(self.age_target, self.max_age))
        # −log σ(z) where the face is older, −log(1 − σ(z)) = −log σ(−z) where it is not.
        losses = ops.softplus(ops.where(years > ages_like(logits), -logits, logits))
        return self.factor * ops.sum(losses, axis=-1)
