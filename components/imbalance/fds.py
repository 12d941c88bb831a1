"""Feature distribution smoothing for age: FDS (Yang et al. 2021, arXiv 2102.09554)."""

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from components.dataset.outputs import Kind, Output
from components.imbalance.lds import lds_kernel, require_odd
from components.imbalance.treatment import FloatArray, TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.REGRESSION,)

_VARIANCE_RATIOS = (0.1, 10.0)


class Settings(Section):
    """Feature distribution smoothing."""

    kernel_size: int = Field(default=5, ge=1, description="Width of the smoothing window, in years; must be odd.")
    sigma: float = Field(default=2.0, gt=0, description="Standard deviation of the Gaussian window, in years.")
    momentum: float = Field(
        default=0.9, ge=0, lt=1, description="Share that the statistics of each age keep of their former value."
    )

    _odd = field_validator("kernel_size")(require_odd)


def fds_window(size: int = 5, sigma: float = 2.0) -> FloatArray:
    """Return the smoothing window, summing to 1, shape ``[size]``, from a standard deviation in years."""
    kernel = lds_kernel(size, sigma)
    return np.asarray(kernel / kernel.sum(), np.float64)


def calibration(
    means: FloatArray, variances: FloatArray, filled: npt.NDArray[np.bool_], window: FloatArray
) -> tuple[FloatArray, FloatArray]:
    """Return the scale and the shift that give the features of each age the smoothed mean and variance.

    With mean m and variance v of an age's features, and m' and v' smoothed over the neighbouring ages, a feature f
    becomes ``(f − m) √(v' / v) + m'``. As in the authors' code the covariance is diagonal, the ratio is kept within
    0.1 … 10, and the ages are reflected at both ends. An age without faces is left out of the smoothing, where that
    code takes it for mean 0 and variance 1; a feature that doesn't vary is left as it is.

    Args:
        means: Shape ``[ages, features]``.
        variances: Shape ``[ages, features]``.
        filled: Which ages have faces, shape ``[ages]``.
        window: Smoothing window.

    Returns:
        Two arrays ``[ages, features]``: ``f`` becomes ``scale · f + shift``.
    """
    from scipy.ndimage import convolve1d

    def smooth(values: FloatArray) -> FloatArray:
        return np.asarray(convolve1d(values, window, axis=0, mode="mirror"), np.float64)

    present = filled[:, None].astype(np.float64)
    weights = np.maximum(smooth(present), np.finfo(np.float64).tiny)
    new_means, new_variances = smooth(means * present) / weights, smooth(variances * present) / weights
    varies = filled[:, None] & (variances > 0)
    ratios = np.clip(new_variances / np.where(varies, variances, 1.0), *_VARIANCE_RATIOS)
    scale = np.where(varies, np.sqrt(ratios), 1.0)
    return scale, np.where(varies, new_means - scale * means, 0.0)


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Train the age on features whose mean and variance at each age are those of its neighbours, too."""
    from components.imbalance.heads.smoothed_age import SmoothedAge
    from components.imbalance.losses.own_age import OwnAge

    start = float(np.average(faces.age_scale.encode(faces.ages), weights=faces.draws))
    window = fds_window(settings.kernel_size, settings.sigma)
    head = SmoothedAge(faces.age_scale, start, tuple(window.tolist()), settings.momentum)
    loss = OwnAge(faces.age_scale.max_age, age_target=faces.age_scale.target)
    return Treatment(loss, head, details={"window": window.tolist()})
