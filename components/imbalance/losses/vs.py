"""Vector-scaling loss: VS (Kini et al. 2021, arXiv 2103.01550)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.log_odds import cross_entropy, logits_and_truth
from components.imbalance.treatment import require_every_class


@keras.saving.register_keras_serializable(package="evenface")
class VS(CureLoss):
    """Cross-entropy of logits that are scaled and shifted by class: ``factor · logits + offset``.

    The factor of a class is (count / largest count)^gamma and its offset tau · log prior. The smaller factor of a
    rare class makes training push its logit further, also when all faces are fitted and an offset has no effect
    any more. At inference the logits are used unchanged.

    Args:
        class_counts: Training faces per class, all above 0.
        gamma: Exponent of the factors, at least 0. Default 0.15, the authors' for CIFAR-10-LT; 0 is logit
            adjustment.
        tau: Strength of the offsets, at least 0. Default 1.25, theirs likewise.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> round(float(VS([3, 1], gamma=0.0, tau=1.0)([1], [[0.0, 0.0]])), 4)
        1.3863
    """

    def __init__(
        self,
        class_counts: Sequence[float],
        *,
        gamma: float = 0.15,
        tau: float = 1.25,
        name: str = "vs",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        require_every_class(class_counts, "vs")
        self.class_counts = [float(count) for count in class_counts]
        self.gamma = gamma
        self.tau = tau
        counts = np.asarray(self.class_counts)
        self.factor = ((counts / counts.max()) ** gamma).tolist()
        self.offset = (tau * np.log(counts / counts.sum())).tolist()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; codes and logits are those of :mod:`log_odds`."""
        logits, true = logits_and_truth(y_true, y_pred)
        scaled = logits * ops.convert_to_tensor(self.factor, "float32")
        return cross_entropy(scaled + ops.convert_to_tensor(self.offset, "float32"), true)
