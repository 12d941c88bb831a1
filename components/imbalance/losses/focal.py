"""Focal loss (Lin et al. 2017, arXiv 1708.02002)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from components.imbalance.losses.log_odds import class_logits, log_odds_against, pick, true_class


@keras.saving.register_keras_serializable(package="evenface")
class Focal(keras.losses.Loss):
    """Cross-entropy that counts a face the less, the surer the network is of its true class.

    The loss is ``−(1 − p)^gamma · log p`` with p the softmax probability of the true class.

    Args:
        gamma: Focusing exponent, at least 0. Default 2; 0 is cross-entropy.
        class_weights: Weight of each class, or None for all 1.
        reduction: Keras's reduction. Default ``"sum_over_batch_size"``.
        name: Name of the loss. Default ``"focal"``.
        dtype: Type of the reduced loss. Default float32, in which everything is computed.

    Example:
        >>> round(float(Focal(gamma=1.0)([0], [[0.0, 0.0]])), 4)
        0.3466
    """

    def __init__(
        self,
        gamma: float = 2.0,
        *,
        class_weights: Sequence[float] | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str = "focal",
        dtype: Any = None,
    ) -> None:
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        self.gamma = gamma
        self.class_weights = None if class_weights is None else [float(weight) for weight in class_weights]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``.

        Args:
            y_true: Class codes, shape ``[batch]`` or ``[batch, 1]``.
            y_pred: Logits, shape ``[batch, classes]``, or ``[batch, 1]`` for a binary output.
        """
        logits = class_logits(y_pred)
        true = true_class(y_true, logits)
        log_odds = log_odds_against(logits, true)
        # A power of 1 − p has an infinite gradient at p = 1 for exponents below 1; of its logarithm it has not.
        focus = ops.exp(-self.gamma * ops.softplus(-log_odds))
        losses = focus * ops.softplus(log_odds)
        if self.class_weights is None:
            return losses
        return losses * pick(ops.convert_to_tensor(self.class_weights, "float32"), true)

    def get_config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().get_config(), "gamma": self.gamma, "class_weights": self.class_weights}
