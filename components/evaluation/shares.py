"""Closed-form intervals of shares of faces, for the cases where every resample is the same."""

import math
from statistics import NormalDist

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq

Floats = npt.NDArray[np.float64]

_FEW = 5


def exact_limit(faces: npt.ArrayLike, confidence: float) -> Floats:
    """Return the lower end of the interval for a share of 1, in the closed form of Clopper and Pearson (1934).

    The upper end for a share of 0 is 1 minus it.

    Args:
        faces: Number of faces, any shape; the result has the same shape and is 0 where there are none.
        confidence: Share that the interval covers, such as 0.95.
    """
    with np.errstate(divide="ignore"):
        limit: Floats = ((1 - confidence) / 2) ** (1 / np.asarray(faces, np.float64))
    return limit


def at_least_wilson(
    share: Floats, faces: npt.ArrayLike, low: Floats, high: Floats, confidence: float
) -> tuple[Floats, Floats]:
    """Return an interval that reaches as far as Wilson's score interval (1927) where a share is almost 0 or 1.

    Almost is: fewer than five faces are on the rare side, the usual limit of large-sample intervals.

    Args:
        share: Observed shares, any shape; of several seeds, their mean.
        faces: Faces behind each, same shape.
        low: Lower ends of the intervals, same shape.
        high: Upper ends.
        confidence: Share that the intervals cover, such as 0.95.
    """
    count = np.asarray(faces, np.float64)
    rare = np.minimum(share, 1 - share) * count < _FEW
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    with np.errstate(invalid="ignore", divide="ignore"):
        middle = (share + z**2 / (2 * count)) / (1 + z**2 / count)
        half = z / (1 + z**2 / count) * np.sqrt(share * (1 - share) / count + z**2 / (4 * count**2))
    return np.where(rare, np.minimum(low, middle - half), low), np.where(rare, np.maximum(high, middle + half), high)


def paired_score_interval(difference: float, faces: int, confidence: float) -> tuple[float, float]:
    """Return the score interval of a difference of two shares of the same faces.

    It holds the differences that a score test does not reject (Tango 1998, Statistics in Medicine 17, 891-908).
    Without any face on which the two disagree it is ± z² / (n + z²).

    Args:
        difference: Observed difference d: d · n more faces are right in one than in the other, and there is
            none on which it is the other way round.
        faces: Number of faces n.
        confidence: Share that the interval covers, such as 0.95.

    Returns:
        The lower and the upper end; NaN without faces.
    """
    if faces == 0 or math.isnan(difference):
        return math.nan, math.nan
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    gained, lost = max(difference, 0.0) * faces, max(-difference, 0.0) * faces

    def score(tested: float) -> float:
        """Return the score of the hypothesis that the difference is ``tested``."""
        b = (2 * faces - gained + lost) * tested - gained - lost
        c = -lost * tested * (1 - tested)
        lost_share = (math.sqrt(max(0.0, b * b - 8 * faces * c)) - b) / (4 * faces)
        variance = faces * (2 * lost_share + tested * (1 - tested))
        return (gained - lost - faces * tested) / math.sqrt(max(variance, 1e-300))

    def end(sign: int) -> float:
        """Return the difference on one side at which the score reaches ± z."""
        limit = sign * (1 - 1e-12)
        if sign * difference >= 1 or sign * score(limit) + z > 0:
            return float(sign)
        return float(brentq(lambda tested: score(tested) + sign * z, difference, limit))

    return end(-1), end(1)
