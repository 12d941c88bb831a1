"""Logit-adjusted cross-entropy (Menon et al. 2021, arXiv 2007.07314).

With tau = 1 it is balanced softmax (Ren et al. 2020, arXiv 2007.10740).
"""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss
from components.imbalance.losses.log_odds import cross_entropy, logits_and_truth
from components.imbalance.treatment import require_every_class


@keras.saving.register_keras_serializable(package="evenface")
class LogitAdjusted(CureLoss):
    """Cross-entropy of ``logits + tau · log prior``.

    The offset carries the class prior, so the logits need not: at inference they are used
    unchanged, and with tau = 1 their argmax is that of a population in which the classes are equally common.

    Args:
        class_priors: Share of each class in training, or its count, all above 0; a common factor
            changes nothing.
        tau: Strength, at least 0. Default 1; 0 is cross-entropy.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> round(float(LogitAdjusted([0.75, 0.25])([1], [[0.0, 0.0]])), 4)
        1.3863
    """

    def __init__(
        self, class_priors: Sequence[float], *, tau: float = 1.0, name: str = "logit_adjusted", **options: Any
    ) -> None:
        super().__init__(name=name, **options)
        require_every_class(class_priors, "logit_adjusted")
        self.class_priors = [float(prior) for prior in class_priors]
        self.tau = tau
        self.offset = (tau * np.log(self.class_priors)).tolist()

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; codes and logits are those of :mod:`log_odds`."""
        logits, true = logits_and_truth(y_true, y_pred)
        return cross_entropy(logits + ops.convert_to_tensor(self.offset, "float32"), true)
