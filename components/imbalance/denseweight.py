"""DenseWeight (Steininger et al. 2021, doi 10.1007/s10994-021-06023-5)."""

import math
from typing import Literal

import numpy as np
import numpy.typing as npt
from pydantic import Field

from components.dataset.outputs import Kind, Output
from components.errors import DataError
from components.imbalance.treatment import FloatArray, TrainingFaces, Treatment
from components.section import Section

TREATS = (Kind.REGRESSION,)

_GRID_POINTS = 4096
_KERNEL_END = 1e-4
_REACH_TOLERANCE = 1e-3
_SMALLEST_WEIGHT = 1e-6


class Settings(Section):
    """DenseWeight."""

    alpha: float = Field(
        default=0.25,
        ge=0,
        description="Strength: 0 weights all ages equally; below 1, no two weights differ by a factor above "
        "1 / (1 - alpha); above 1, the most common ages are all but ignored.",
    )
    space: Literal["target", "years", "log_age"] = Field(
        default="target",
        description="Scale on which the density of the ages is estimated; 'target' is the one that the age head uses.",
    )


def dense_weights(targets: npt.ArrayLike, alpha: float = 0.25, draws: npt.ArrayLike | None = None) -> FloatArray:
    """Weight each target: the denser the targets around it, the lower its weight.

    With p′ the density scaled to 0 … 1, the weight is max(1 − alpha · p′, 1e-6), divided by its mean over the
    targets.

    Args:
        targets: Targets of the training faces, shape ``[faces]``, like the result.
        alpha: 0 weights all equally; below 1, no two weights differ by a factor above 1 / (1 − alpha).
        draws: How often each target counts, shape ``[faces]``. Default: once.

    Raises:
        DataError: If all targets are equal, so that they have no density.
    """
    values, rows, masses = _distinct(targets, draws)
    weights = np.maximum(1.0 - alpha * _scaled_density(values, masses), _SMALLEST_WEIGHT)
    return np.asarray((weights / np.average(weights, weights=masses))[rows], np.float64)


def density_bandwidth(targets: npt.ArrayLike, draws: npt.ArrayLike | None = None) -> float:
    """Return the kernel's bandwidth, 1.06 · standard deviation (ddof 0) · n^(−1/5), in the targets' unit."""
    values, _, masses = _distinct(targets, draws)
    mean = np.average(values, weights=masses)
    deviation = math.sqrt(np.average((values - mean) ** 2, weights=masses))
    return float(1.06 * deviation * masses.sum() ** -0.2)


def _distinct(
    targets: npt.ArrayLike, draws: npt.ArrayLike | None
) -> tuple[FloatArray, npt.NDArray[np.intp], FloatArray]:
    """Return the distinct targets, the position of each target among them, and how often each counts."""
    values, rows = np.unique(np.asarray(targets, np.float64), return_inverse=True)
    masses = np.bincount(rows, None if draws is None else np.asarray(draws, np.float64))
    return values, rows, masses.astype(np.float64)


def _scaled_density(values: FloatArray, masses: FloatArray) -> FloatArray:
    """Return the Gaussian kernel density at each distinct value, scaled to 0 … 1 over a grid.

    Near the mode a weight is a small difference of two near-equal numbers and depends on how the density is
    computed, so it is computed as in the authors' package: each target shared between the two nearest of
    4096 grid points, which reach past the data to where the kernel falls to 1e-4; a kernel cut off there; and
    the density looked up at the grid point at or below a value.
    """
    if len(values) < 2:
        raise DataError(
            "The training faces all have the same age, so 'denseweight' can't estimate a density",
            remedy="use more faces, or a variant without this cure",
        )
    bandwidth = density_bandwidth(values, masses)
    reach = _kernel_reach(bandwidth)
    margin = max(reach, 0.05 * float(np.ptp(values)))
    grid, step = np.linspace(values[0] - margin, values[-1] + margin, _GRID_POINTS, retstep=True)
    positions = (values - grid[0]) / step
    left = np.floor(positions).astype(np.intp)
    right_share = positions - left
    binned = np.bincount(left, masses * (1.0 - right_share), _GRID_POINTS)
    binned += np.bincount(left + 1, masses * right_share, _GRID_POINTS)
    half_width = math.floor(reach / step)
    kernel = np.exp(-0.5 * (np.arange(-half_width, half_width + 1) * step / bandwidth) ** 2)
    density = np.convolve(binned, kernel, mode="same")
    scaled = (density - density.min()) / np.ptp(density)
    return np.asarray(scaled[np.searchsorted(grid, values, side="right") - 1], np.float64)


def _kernel_reach(bandwidth: float) -> float:
    """Return the distance at which the kernel falls to 1e-4, found as coarsely as the authors' package does."""
    from scipy.optimize import brentq

    peak = 1.0 / (math.sqrt(2.0 * math.pi) * bandwidth)
    if peak <= _KERNEL_END:
        raise DataError(
            "The ages are spread too widely for 'denseweight'", remedy="lower max_age in the settings of preprocess"
        )
    root = brentq(lambda x: peak * math.exp(-0.5 * (x / bandwidth) ** 2) - _KERNEL_END, 0.0, 8.0 * bandwidth, xtol=1e-3)
    return float(root) + _REACH_TOLERANCE


def treat(faces: TrainingFaces, output: Output, settings: Settings) -> Treatment:
    """Weight the age loss by the inverse density of the training ages."""
    space = faces.age_scale.target if settings.space == "target" else settings.space
    targets = faces.ages.astype(np.float64) if space == "years" else np.log(faces.ages)
    weights = dense_weights(targets, settings.alpha, faces.draws)
    bandwidth = density_bandwidth(targets, faces.draws)
    return Treatment(weights=weights, details={"space": space, "bandwidth": bandwidth})
