"""Ranking similarity of labels and features: RankSim (Gong et al. 2022, arXiv 2205.15236)."""

from typing import Any

import keras
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss

_LAST = 1e30
"""Sorts what is left out behind everything else."""


@keras.saving.register_keras_serializable(package="evenface")
class RankSim(CureLoss):
    """Absolute error of the age, and how differently the other faces are ranked by age and by features.

    Of the faces of one age in the batch the first takes part. Each of them ranks all of them by closeness of age
    and by the cosine between features; the second term is ``weight`` times the mean squared difference of the ranks,
    as shares of their number. Ranks are piecewise constant: their gradient is the difference quotient of Vlastelica
    et al. 2020 (arXiv 1912.02175), between the similarities and those moved along the gradient of the ranks.

    Args:
        weight: Weight of the second term. Default 1.
        interpolation: How far the similarities are moved, above 0. Default 2.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> loss = RankSim()
        >>> round(float(loss([[1.0], [2.0]], [[1.5, 1.0, 0.0], [2.0, 0.0, 1.0]])), 4)
        0.25
    """

    def __init__(
        self, weight: float = 1.0, *, interpolation: float = 2.0, name: str = "ranksim", **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        self.weight = weight
        self.interpolation = interpolation

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``, from targets and ``[batch, 1 + features]``."""
        targets = ops.reshape(ops.cast(y_true, "float32"), (-1, 1))
        scores = ops.cast(y_pred, "float32")
        return ops.abs(scores[:, 0] - targets[:, 0]) + self.weight * self._rank_differences(targets, scores[:, 1:])

    def _rank_differences(self, targets: Any, features: Any) -> Any:
        same = ops.cast(ops.equal(targets, ops.transpose(targets)), "int32")
        taking_part = ops.equal(ops.sum(same * ops.tril(ops.ones_like(same)), axis=-1), 1)
        number = ops.sum(ops.cast(taking_part, "float32"))

        def ranks(similarities: Any) -> Any:
            """Return the rank of each face that takes part, the most similar first, as a share; shape as given."""
            order = ops.argsort(ops.where(taking_part, -similarities, _LAST), axis=-1)
            return (1.0 + ops.cast(ops.argsort(order, axis=-1), "float32")) / number

        length = ops.sqrt(ops.maximum(ops.sum(ops.square(features), axis=-1, keepdims=True), 1e-12))
        similarities = ops.matmul(features / length, ops.transpose(features / length))
        fixed = ops.stop_gradient(similarities)
        by_features, by_age = ranks(fixed), ranks(-ops.abs(targets - ops.transpose(targets)))
        difference = ops.where(taking_part, by_features - by_age, 0.0)
        moved = ranks(fixed + self.interpolation * 2.0 * difference / number)
        slope = ops.where(taking_part, moved - by_features, 0.0) / self.interpolation
        # Its value is the difference of the ranks, its gradient that of the quotient.
        quotient = ops.sum(slope * (similarities - fixed), axis=-1)
        own = ops.cast(taking_part, "float32")
        return own * (ops.sum(ops.square(difference), axis=-1) / number + quotient)
