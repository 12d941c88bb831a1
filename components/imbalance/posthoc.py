"""Post-hoc logit adjustment of a trained model (Menon et al. 2021, arXiv 2007.07314)."""

import numpy as np
import numpy.typing as npt

from components.imbalance.treatment import FloatArray, require_every_class


def adjust_probabilities(
    probabilities: npt.ArrayLike, priors: npt.ArrayLike, tau: float = 1.0, temperature: float = 1.0
) -> FloatArray:
    """Divide the class priors out of predicted probabilities: p^(1 / T) · prior^(−tau), scaled to sum to 1.

    The argmax is that of log p / T − tau · log prior.

    Args:
        probabilities: Predicted probabilities, shape ``[faces, classes]``.
        priors: Class shares that the predictions carry, all above 0, shape ``[classes]``: the training
            priors for a plain model, ``output_priors`` of the statistics for a variant.
        tau: Strength. Default 1; 0 leaves the priors in.
        temperature: T, what the logits are divided by first. Default 1.

    Returns:
        Adjusted probabilities, float64, same shape.

    Raises:
        DataError: If a prior is 0.
    """
    require_every_class(priors, "post-hoc logit adjustment")
    log_factors = -tau * np.log(np.asarray(priors, np.float64))
    # Scaled by the largest factor, so that no prior, however small, overflows.
    scaled = np.asarray(probabilities, np.float64) ** (1 / temperature)
    adjusted = scaled * np.exp(log_factors - log_factors.max())
    return np.asarray(adjusted / adjusted.sum(axis=-1, keepdims=True), np.float64)
