"""Label distribution smoothing for age: LDS (Yang et al. 2021, arXiv 2102.09554)."""

from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field, field_validator

from components.dataset.outputs import Kind, Output
from components.imbalance.treatment import FloatArray, TrainingFaces, Treatment
from components.section import Section, SettingError

TREATS = (Kind.REGRESSION,)

_LAST_AGE = 120
_CLIPPED_COUNTS = (5, 1000)


def require_odd(kernel_size: int) -> int:
    """Return the width of a window if it has a middle.

    Raises:
        SettingError: If it is even.
    """
    if kernel_size % 2 == 0:
        raise SettingError(f"a window of {kernel_size} years has no middle", remedy="use an odd number")
    return kernel_size


class Settings(Section):
    """Label distribution smoothing."""

    reweight: Literal["sqrt_inverse", "inverse"] = Field(
        default="sqrt_inverse",
        description="'sqrt_inverse' takes the square root of the counts before smoothing; 'inverse' clips them to "
        "5 … 1000 instead.",
    )
    kernel_size: int = Field(default=5, ge=1, description="Width of the smoothing window, in years; must be odd.")
    sigma: float = Field(default=2.0, gt=0, description="Standard deviation of the Gaussian window, in years.")

    _odd = field_validator("kernel_size")(require_odd)


def lds_kernel(size: int = 5, sigma: float = 2.0) -> FloatArray:
    """Return the smoothing window, its largest value 1, shape ``[size]``, from a standard deviation in years.

    The window is a unit impulse filtered with a Gaussian that is reflected at the window's ends, as in
    the authors' code, and so flatter than the Gaussian itself.
    """
    from scipy.ndimage import gaussian_filter1d

    impulse = np.zeros(size)
    impulse[size // 2] = 1.0
    window = gaussian_filter1d(impulse, sigma)
    return np.asarray(window / window.max(), np.float64)


def lds_weights(
    ages_years: npt.ArrayLike,
    reweight: Literal["sqrt_inverse", "inverse"] = "sqrt_inverse",
    kernel: FloatArray | None = None,
    draws: npt.ArrayLike | None = None,
    last_age: int = _LAST_AGE,
) -> FloatArray:
    """Weight each face by the inverse of the smoothed number of faces of its age.

    Args:
        ages_years: Whole ages, at least 0, shape ``[faces]``. Ages from ``last_age`` up count as one.
        reweight: As in :class:`Settings`.
        kernel: Smoothing window; None for no smoothing.
        draws: How often each face counts, shape ``[faces]``. Default: once.
        last_age: Highest age with a count of its own. Default: that of the authors' code.

    Returns:
        Weights with mean 1 over the faces, shape ``[faces]``.
    """
    ages = np.minimum(np.asarray(ages_years, np.int64), last_age)
    mass = np.ones(len(ages)) if draws is None else np.asarray(draws, np.float64)
    counts = np.bincount(ages, mass, minlength=last_age + 1)
    counts = np.sqrt(counts) if reweight == "sqrt_inverse" else np.clip(counts, *_CLIPPED_COUNTS)
    if kernel is not None:
        from scipy.ndimage import convolve1d

        counts = convolve1d(counts, kernel, mode="constant")
        # The authors' code smooths plain counts as integers, and so drops the fractions.
        counts = counts if reweight == "sqrt_inverse" else np.floor(counts)
    weights = 1.0 / counts[ages]
    return np.asarray(weights / np.average(weights, weights=mass), np.float64)


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Weight the age loss by the inverse smoothed counts of the training ages."""
    kernel = lds_kernel(settings.kernel_size, settings.sigma)
    last_age = max(_LAST_AGE, faces.age_scale.max_age)
    weights = lds_weights(faces.ages, settings.reweight, kernel, faces.draws, last_age)
    return Treatment(weights=weights, details={"kernel": kernel.tolist()})
