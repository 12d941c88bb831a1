"""Balanced MSE by batch-based Monte Carlo, BMC (Ren et al. 2022, arXiv 2203.16427)."""

from typing import Any

import keras
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss


@keras.saving.register_keras_serializable(package="evenface")
class BalancedMSE(CureLoss):
    """Squared error, set against how well the other targets of the batch explain the prediction.

    A prediction has to pick its own target from all targets of the batch: the loss is the cross-entropy of
    the logits ``−(prediction_i − target_j)² / (2 sigma²)`` with label i, times ``2 sigma²``, which
    gives it the unit of a squared error.

    It trains as if targets were uniform in the unit of the predictions. On the logarithm of the age
    that is not uniform in years: half of the mass lies on ages up to 10.

    Args:
        noise_sigma: Noise scale sigma, above 0, in the unit of the predictions.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> round(float(BalancedMSE(1.0)([[3.0], [3.0]], [[3.0], [5.0]])), 4)
        1.3863
    """

    def __init__(self, noise_sigma: float, *, name: str = "balanced_mse", **options: Any) -> None:
        super().__init__(name=name, **options)
        self.noise_sigma = noise_sigma

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; targets and predictions may be ``[batch, 1]``."""
        targets = ops.reshape(ops.cast(y_true, "float32"), (1, -1))
        predictions = ops.reshape(ops.cast(y_pred, "float32"), (-1, 1))
        doubled_variance = 2.0 * self.noise_sigma**2
        own = ops.transpose(targets)
        # Logit j minus logit i: the difference of squares, factored, stays precise where the squares are large.
        log_odds = (targets - own) * (2.0 * predictions - targets - own) / doubled_variance
        return doubled_variance * ops.logsumexp(log_odds, axis=-1)
