"""Focal loss (Lin et al. 2017, arXiv 1708.02002)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.log_odds import log_odds_against, logits_and_truth, pick


@keras.saving.register_keras_serializable(package="evenface")
class Focal(CureLoss):
    """Cross-entropy that counts a face less, the surer the network is of its true class.

    The loss is ``−(1 − p)^gamma · log p`` with p the softmax probability of the true class.

    Args:
        gamma: Focusing exponent, at least 0. Default 2; 0 is cross-entropy.
        class_weights: Weight of each class, or None for all 1.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> round(float(Focal(gamma=1.0)([0], [[0.0, 0.0]])), 4)
        0.3466
    """

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        class_weights: Sequence[float] | None = None,
        name: str = "focal",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.gamma = gamma
        self.class_weights = None if class_weights is None else [float(weight) for weight in class_weights]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; codes and logits are those of :mod:`log_odds`."""
        logits, true = logits_and_truth(y_true, y_pred)
        log_odds = log_odds_against(logits, true)
        # A power of 1 − p has an infinite gradient at p = 1 for exponents below 1; of its logarithm it has not.
        focus = ops.exp(-self.gamma * ops.softplus(-log_odds))
        losses = focus * ops.softplus(log_odds)
        return losses if self.class_weights is None else losses * pick(self.class_weights, true)
