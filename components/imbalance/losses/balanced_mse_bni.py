"""Balanced MSE by bin-based numerical integration, BNI (Ren et al. 2022, arXiv 2203.16427)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss


@keras.saving.register_keras_serializable(package="evenface")
class BalancedMSEBNI(CureLoss):
    """Squared error, set against how well the training targets, counted in bins, explain the prediction.

    The loss is ``(p − t)² + 2 sigma² · log Σ_b w_b exp(−(p − c_b)² / (2 sigma²))`` for prediction p and target t.
    It is the batch-based form with the batch's targets replaced by those of all training faces, and may be negative.

    Args:
        noise_sigma: Noise scale sigma, above 0, in the unit of the predictions.
        centers: Middle c of each bin, in the unit of the predictions.
        shares: Share w of the training faces in each bin, above 0; the predictions become those of a population
            that is uniform in their unit.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> round(float(BalancedMSEBNI(1.0, [3.0, 5.0], [0.5, 0.5])([[3.0]], [[4.0]])), 4)
        0.0
    """

    def __init__(
        self,
        noise_sigma: float,
        centers: Sequence[float],
        shares: Sequence[float],
        *,
        name: str = "balanced_mse_bni",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.noise_sigma = noise_sigma
        self.centers = [float(center) for center in centers]
        self.shares = [float(share) for share in shares]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; targets and predictions may be ``[batch, 1]``."""
        targets = ops.reshape(ops.cast(y_true, "float32"), (-1, 1))
        predictions = ops.reshape(ops.cast(y_pred, "float32"), (-1, 1))
        centers, shares = (ops.convert_to_tensor([values], "float32") for values in (self.centers, self.shares))
        doubled_variance = 2.0 * self.noise_sigma**2
        # The difference of the two squares, factored, stays precise where they are large.
        log_odds = (centers - targets) * (2.0 * predictions - centers - targets) / doubled_variance
        return doubled_variance * ops.logsumexp(log_odds + ops.log(shares), axis=-1)
