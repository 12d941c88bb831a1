"""Label smoothing."""

from typing import Any

import keras
from keras import ops


class SmoothedLoss(keras.losses.Loss):
    """A loss as it would be, on average, if some of the labels were random (Szegedy et al. 2016, section 7).

    ``(1 − share) · loss(label) + share · mean over all classes of loss(class)``: of cross-entropy that is the loss
    against smoothed labels, which Keras has for one-hot labels, not for codes.

    Args:
        loss: Keras loss of class codes, ``[batch, 1]``, and scores.
        classes: Number of classes.
        share: Share of random labels, from 0 to below 1.

    Example:
        >>> plain = keras.losses.BinaryCrossentropy(from_logits=True)
        >>> round(float(SmoothedLoss(plain, 2, 0.2)([[1.0]], [[2.0]])), 4)
        0.3269
    """

    def __init__(self, loss: keras.losses.Loss, classes: int, share: float) -> None:
        super().__init__(name=loss.name, reduction=loss.reduction)
        self.loss = loss
        self.classes = classes
        self.share = share

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``."""
        others = [self.loss.call(ops.full_like(y_true, code), y_pred) for code in range(self.classes)]
        return (1.0 - self.share) * self.loss.call(y_true, y_pred) + self.share / self.classes * sum(others)
