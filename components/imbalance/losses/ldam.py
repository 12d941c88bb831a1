"""Label-distribution-aware margins: LDAM (Cao et al. 2019, arXiv 1906.07413)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.log_odds import cross_entropy, logits_and_truth, pick
from components.imbalance.treatment import FloatArray, require_every_class


def ldam_margins(class_counts: npt.ArrayLike, max_margin: float = 0.5) -> FloatArray:
    """Return the margin of each class, proportional to count^(−1/4).

    Args:
        class_counts: Training faces per class, shape ``[classes]``.
        max_margin: Margin of the rarest class, in logits, like all margins.

    Raises:
        DataError: If a class has no face.
    """
    require_every_class(class_counts, "ldam")
    relative = np.asarray(class_counts, np.float64) ** -0.25
    return np.asarray(relative * (max_margin / relative.max()), np.float64)


@keras.saving.register_keras_serializable(package="evenface")
class LDAM(CureLoss):
    """Cross-entropy that demands a margin: the rarer the true class, the larger the margin.

    The loss is the cross-entropy of ``scale · (logits − margin at the true class)``. The margin is
    used only in training: predictions use the unchanged logits.

    Args:
        class_counts: Training faces per class, all above 0.
        max_margin: Margin of the rarest class, in logits. Default 0.5.
        scale: Factor on the logits after the margin. Default 1. The authors use 30 with normalised
            features; on plain logits that multiplies the gradient by 30 and the loss at the start by 9.
        class_weights: Weight of each class, or None. The weighted loss is divided by the batch's mean
            weight, so that its mean is the weighted mean, as in the authors' code.
        factor: Factor on the whole loss. Default 1.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> loss = LDAM([100, 100], max_margin=0.0)
        >>> round(float(loss([[0], [1]], [[0.0, 0.0], [0.0, 0.0]])), 4)
        0.6931
    """

    def __init__(
        self,
        class_counts: Sequence[float],
        *,
        max_margin: float = 0.5,
        scale: float = 1.0,
        class_weights: Sequence[float] | None = None,
        factor: float = 1.0,
        name: str = "ldam",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.class_counts = [float(count) for count in class_counts]
        self.max_margin = max_margin
        self.scale = scale
        self.factor = factor
        self.class_weights = None if class_weights is None else [float(weight) for weight in class_weights]
        self.margins = ldam_margins(self.class_counts, max_margin).tolist()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; codes and logits are those of :mod:`log_odds`."""
        logits, true = logits_and_truth(y_true, y_pred)
        margins = ops.where(true, ops.convert_to_tensor(self.margins, "float32"), 0.0)
        losses = self.factor * cross_entropy(self.scale * (logits - margins), true)
        if self.class_weights is None:
            return losses
        weights = pick(self.class_weights, true)
        return losses * weights / ops.mean(weights)
