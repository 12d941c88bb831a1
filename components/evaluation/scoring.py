"""Estimates and bootstrap replicates of every metric, for one variant over its seeds."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from components.evaluation.bootstrap import Weighting, percentile_interval
from components.evaluation.catalogue import CATALOGUE, GROUP_COLUMNS, TESTED
from components.evaluation.frame import MetricFrame
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]


class View(StrEnum):
    """A view of a metric; its value is the name in :class:`~components.evaluation.frame.MetricFrame`."""

    OVERALL = "overall"
    """The metric itself."""

    BY_GROUP = "by_group"
    """Its value in each gender × ethnicity group."""

    NATURAL = "natural"
    """Its value in the natural population."""

    WORST_GROUP = "worst_group"
    """Its value in its worst group."""

    GROUP_GAP = "group_gap"
    """The difference between its highest and its lowest group."""


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


@dataclass(frozen=True)
class Estimate:
    """A metric and its interval; every field has the metric's own shape (``[]`` for one number)."""

    value: Floats
    low: Floats
    high: Floats


@dataclass(frozen=True)
class Scored:
    """Everything that the comparison needs to know about one row.

    Attributes:
        predictions: Predictions by seed, ascending; all for the same faces in the same order.
        estimates: Metrics on the test set by seed.
        replicates: Metrics in every bootstrap resample by seed, with the axis of resamples first;
            without the confusion counts.
        confidence: Share that the intervals cover.
    """

    predictions: Mapping[int, Predictions]
    estimates: Mapping[int, MetricFrame]
    replicates: Mapping[int, MetricFrame]
    confidence: float

    @property
    def seeds(self) -> list[int]:
        """Seeds, ascending."""
        return list(self.predictions)

    @property
    def first(self) -> Predictions:
        """Predictions of the first seed."""
        return self.predictions[self.seeds[0]]

    def mean(self, metric: str, view: View = View.OVERALL, seeds: Iterable[int] | None = None) -> Floats:
        """Return a metric averaged over seeds (default: all of the row's), in the metric's own shape.

        The worst group and the gap are found *after* averaging over the seeds, from the averages shown.
        """
        return _mean(self.estimates, metric, view, self.seeds if seeds is None else seeds)

    def mean_replicates(self, metric: str, view: View = View.OVERALL, seeds: Iterable[int] | None = None) -> Floats:
        """Return the :meth:`mean` of each resample, the axis of resamples first."""
        return _mean(self.replicates, metric, view, self.seeds if seeds is None else seeds)

    def estimate(self, metric: str, view: View = View.OVERALL) -> Estimate:
        """Return a metric averaged over the seeds, with its interval.

        A share of faces that is exactly 0 or 1 is the same in every resample; its interval is then the exact
        binomial one of :func:`exact_limit`.
        """
        value = self.mean(metric, view)
        low, high = percentile_interval(self.mean_replicates(metric, view), self.confidence)
        if CATALOGUE[metric].is_share and view in (View.OVERALL, View.BY_GROUP):
            limit = exact_limit(self._faces(metric, view), self.confidence)
            low, high = np.where(value == 1, limit, low), np.where(value == 0, 1 - limit, high)
        return Estimate(value, low, high)

    def with_tested_replicates(self) -> "Scored":
        """Return the row with no replicates but those of the tested metrics, a few percent of all."""
        kept = {
            seed: MetricFrame({metric: frame.overall[metric] for metric in TESTED})
            for seed, frame in self.replicates.items()
        }
        return replace(self, replicates=kept)

    def _faces(self, metric: str, view: View) -> npt.NDArray[np.int64]:
        """Return the number of test faces behind each value of a share, in the share's shape."""
        faces, labels, per = self.first.faces, self.first.labels, CATALOGUE[metric].per
        if view is not View.BY_GROUP and per is None:
            return np.asarray(len(faces))
        columns = GROUP_COLUMNS if view is View.BY_GROUP else (str(per),)
        sizes = [len(labels.names(column)) for column in columns]
        codes = np.ravel_multi_index([faces[column].to_numpy(np.int64) for column in columns], sizes)
        return np.bincount(codes, minlength=math.prod(sizes))


def _mean(by_seed: Mapping[int, MetricFrame], metric: str, view: View, seeds: Iterable[int]) -> Floats:
    if view in (View.OVERALL, View.BY_GROUP, View.NATURAL):
        return np.asarray(np.mean([getattr(by_seed[seed], view)[metric] for seed in seeds], axis=0), np.float64)
    averages = MetricFrame({}, by_group={metric: _mean(by_seed, metric, View.BY_GROUP, seeds)})
    return averages.worst_group(metric) if view is View.WORST_GROUP else averages.group_gap(metric)


def score_seeds(
    predictions: Sequence[Predictions], observed: Weighting, resampled: Weighting, shares: Floats, confidence: float
) -> Scored:
    """Score one variant.

    Args:
        predictions: One per seed, aligned by face with the weightings.
        observed: From :meth:`Weighting.observed`.
        resampled: From :meth:`Weighting.bootstrap`; the same for all variants, so that they are paired.
        shares: Share of each cell in the natural population, shape ``[cells]``.
        confidence: Share that intervals cover.
    """
    by_seed = {run.seed: run for run in sorted(predictions, key=lambda run: run.seed)}
    estimates = {seed: next(observed.score(run, shares)).at(0) for seed, run in by_seed.items()}
    replicates = {
        seed: MetricFrame.joined(frame.without_confusions() for frame in resampled.score(run, shares))
        for seed, run in by_seed.items()
    }
    return Scored(by_seed, estimates, replicates, confidence)


def common_seeds(a: Scored, b: Scored) -> list[int]:
    """Return the seeds that both rows were trained with, ascending."""
    return [seed for seed in a.seeds if seed in b.predictions]


def difference(a: Scored, b: Scored, metric: str, view: View = View.OVERALL) -> Estimate:
    """Return a metric of ``a`` minus that of ``b``, with its paired interval, over their (one or more) common seeds."""
    seeds = common_seeds(a, b)
    replicates = a.mean_replicates(metric, view, seeds) - b.mean_replicates(metric, view, seeds)
    value = a.mean(metric, view, seeds) - b.mean(metric, view, seeds)
    return Estimate(value, *percentile_interval(replicates, a.confidence))
