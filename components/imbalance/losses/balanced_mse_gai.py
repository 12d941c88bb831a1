"""Balanced MSE by a Gaussian mixture of the targets in closed form, GAI (Ren et al. 2022, arXiv 2203.16427)."""

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from components.imbalance.losses.cure_loss import CureLoss


@keras.saving.register_keras_serializable(package="evenface")
class BalancedMSEGAI(CureLoss):
    """Squared error, set against how well a Gaussian mixture of the training targets explains the prediction.

    For prediction p and target t the loss is ``2 sigma²`` times
    ``(p − t)² / (2 sigma²) + log sigma + log Σ_k w_k N(p; m_k, v_k + sigma²)``, the normal densities without their
    factor (2 π)^(−1/2). It may be negative.

    Args:
        noise_sigma: Noise scale sigma, above 0, in the unit of the predictions.
        means: Mean m of each component of the mixture, in the unit of the predictions.
        variances: Variance v of each.
        shares: Share w of each, above 0.
        name, **options: As in Keras (``reduction``, ``dtype``); everything is computed in float32.

    Example:
        >>> round(float(BalancedMSEGAI(1.0, [3.0], [1.0], [1.0])([[3.0]], [[3.0]])), 4)  # −log 2
        -0.6931
    """

    def __init__(
        self,
        noise_sigma: float,
        means: Sequence[float],
        variances: Sequence[float],
        shares: Sequence[float],
        *,
        name: str = "balanced_mse_gai",
        **options: Any,
    ) -> None:
        super().__init__(name=name, **options)
        self.noise_sigma = noise_sigma
        self.means = [float(mean) for mean in means]
        self.variances = [float(variance) for variance in variances]
        self.shares = [float(share) for share in shares]

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the loss of each face, shape ``[batch]``; targets and predictions may be ``[batch, 1]``."""
        targets = ops.reshape(ops.cast(y_true, "float32"), (-1,))
        predictions = ops.reshape(ops.cast(y_pred, "float32"), (-1, 1))
        noise = self.noise_sigma**2
        means, shares = (ops.convert_to_tensor([values], "float32") for values in (self.means, self.shares))
        variances = noise + ops.convert_to_tensor([self.variances], "float32")
        # log sigma moves into the sum, where it makes each component's width one of the noise.
        log_densities = -0.5 * (ops.square(predictions - means) / variances + ops.log(variances / noise))
        balance = ops.logsumexp(log_densities + ops.log(shares), axis=-1)
        return ops.square(predictions[:, 0] - targets) + 2.0 * noise * balance
