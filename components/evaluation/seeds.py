"""The seed as a random effect: how much of an interval's width, and of a test's, is the seed's.

A row's numbers are means over networks that differ by the seed alone, and another seed would have given another
network. The bootstrap of the faces knows nothing of that. Drawing whole seeds with replacement, the textbook's
hierarchical bootstrap, does not help with the few seeds that people train: three seeds drawn from three have two
thirds of the variance and none of the tails. So the level of the seeds is a parametric one:

- the variance that the seeds bring to a mean over S of them is the jackknife's, (S − 1)/S · Σ (θ₍₋ᵢ₎ − θ̄)², where
  θ₍₋ᵢ₎ is the statistic without seed i; for a plain mean it is s²/S (Efron and Stein 1981). It holds for any
  statistic of several networks, such as the value of the worst group;
- the faces' own part of it, because networks disagree about the faces that happen to be in the test set, is in the
  bootstrap of the faces already. The resamples show how large it is, and it is taken off, but never more than three
  quarters: that a few networks happen to agree doesn't show that the next one would;
- every resample of the faces gets an independent error of that variance from Student's distribution with S − 1
  degrees of freedom, or Welch's number for a difference between rows of different networks.

The same distribution gives the p-value of a difference. With one seed nothing is known about the seeds: the
interval and the test then hold for these networks only.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import stats

Floats = npt.NDArray[np.float64]

_LEAST = 0.25
"""Smallest share of the observed variance over seeds that counts as the seeds'."""

_NODES = np.linspace(-12, 12, 12_001)
"""Where the normal error of the faces, in standard deviations, is evaluated: fine enough to add up seeds' errors of
down to a hundredth of the faces'."""


@dataclass(frozen=True)
class SeedSpread:
    """The error that the seeds bring to a statistic.

    Attributes:
        variance: Variance of the statistic over sets of seeds, of the statistic's shape; 0 with one seed.
        degrees: Degrees of freedom of that variance, same shape; infinite where the variance is 0.
    """

    variance: Floats
    degrees: Floats

    @classmethod
    def of(
        cls,
        value: Callable[[Sequence[int]], Floats],
        replicates: Callable[[Sequence[int]], Floats],
        seeds: Sequence[int],
    ) -> "SeedSpread":
        """Return the spread of a statistic over the seeds.

        Args:
            value: From seeds to the statistic of their networks, of any shape ``[...]``.
            replicates: From seeds to the same in every resample of the faces, shape ``[resamples, ...]``.
            seeds: The row's seeds.
        """
        if len(seeds) < 2:
            zeros = np.zeros_like(value(seeds))
            return cls(zeros, np.full_like(zeros, np.inf))
        others = [[seed for seed in seeds if seed != left_out] for left_out in seeds]
        observed = _jackknife([value(rest) for rest in others])
        resampled = _jackknife([replicates(rest) for rest in others]).mean(axis=0)
        # In a resample the networks' disagreement about faces counts twice: once observed, once drawn.
        variance = np.maximum(2 * observed - resampled, _LEAST * observed)
        return cls(variance, np.where(variance > 0, len(seeds) - 1, np.inf))

    def __add__(self, other: "SeedSpread") -> "SeedSpread":
        """Return the spread of a sum or difference of independent statistics, with Welch's degrees of freedom."""
        variance = self.variance + other.variance
        parts = self.variance**2 / self.degrees + other.variance**2 / other.degrees
        degrees = np.divide(variance**2, parts, out=np.full_like(variance, np.inf), where=parts > 0)
        return SeedSpread(variance, degrees)

    def widen(self, replicates: Floats) -> Floats:
        """Return replicates, shape ``[resamples, ...]``, with the seeds' error added to each.

        The errors are the quantiles of their distribution in random order, so that few resamples have its tails.
        """
        if not (self.variance > 0).any():
            return replicates
        count = len(replicates)
        levels = np.broadcast_to(((np.arange(count) + 0.5) / count)[:, None], (count, max(1, self.variance.size)))
        shuffled = np.random.default_rng(count).permuted(levels, axis=0).reshape(count, *self.variance.shape)
        # Where a degree is infinite the variance is 0; any number serves there.
        degrees = np.where(np.isfinite(self.degrees), self.degrees, 1)
        return np.asarray(replicates + np.sqrt(self.variance) * stats.t.ppf(shuffled, degrees), np.float64)

    def p_value(self, difference: float, replicates: Floats) -> float:
        """Return the two-sided p-value of a difference between two rows: could it be 0 for other seeds and faces?

        Args:
            difference: The difference; the spread is that of this one number.
            replicates: Its replicates over the faces, shape ``[resamples]``; their standard deviation counts.
        """
        size, faces, seeds = abs(difference), float(replicates.std(ddof=1)), float(np.sqrt(self.variance))
        if not np.isfinite(size + faces + seeds):
            return 1.0
        if seeds <= faces / 100:
            total = np.hypot(seeds, faces)
            return float(2 * stats.norm.sf(size / total)) if total > 0 else float(size == 0)
        density = stats.norm.pdf(_NODES)
        tails = stats.t.sf((size - faces * _NODES) / seeds, float(self.degrees))
        return float(min(1.0, 2 * np.sum(density * tails) / density.sum()))


def _jackknife(without_each: Sequence[Floats]) -> Floats:
    """Return the jackknife's variance of a statistic from its values without each of the seeds."""
    values = np.stack(without_each)
    variance: Floats = (len(values) - 1) * values.var(axis=0)
    return variance
