"""Estimates and bootstrap replicates of every metric, for one variant over its seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from components.evaluation.bootstrap import Weighting, percentile_interval
from components.evaluation.catalogue import CATALOGUE, GROUP_COLUMNS
from components.evaluation.frame import MetricFrame, average
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]


class View(StrEnum):
    """What is asked of a metric."""

    OVERALL = "overall"
    """The metric itself."""

    BY_GROUP = "by_group"
    """Its value in each gender × ethnicity group."""

    WORST_GROUP = "worst_group"
    """Its value in the group that is worst in it."""

    GROUP_GAP = "group_gap"
    """The distance between its highest and its lowest group."""

    def of(self, frame: MetricFrame, metric: str) -> Floats:
        """Return what a frame holds of a metric."""
        if self is View.OVERALL:
            return frame.overall[metric]
        if self is View.BY_GROUP:
            return frame.by_group[metric]
        return frame.worst_group(metric) if self is View.WORST_GROUP else frame.group_gap(metric)


def exact_limit(faces: npt.ArrayLike, confidence: float) -> Floats:
    """Return the lower end of the interval of a share of 1: the closed form of Clopper and Pearson (1934).

    The upper end of a share of 0 is one less it.

    Args:
        faces: Number of faces, any shape.
        confidence: Share that the interval covers, such as 0.95.

    Returns:
        Shape of ``faces``; 0 where there is no face.
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
        predictions: Predictions by seed, ascending; all about the same faces in the same order.
        estimates: Metrics on the test set by seed.
        replicates: Metrics in every bootstrap resample by seed, with the axis of resamples first;
            without the confusion counts.
        natural: Metrics in the natural population, averaged over the seeds: estimates and replicates.
        confidence: Share that the intervals cover.
    """

    predictions: Mapping[int, Predictions]
    estimates: Mapping[int, MetricFrame]
    replicates: Mapping[int, MetricFrame]
    natural: tuple[MetricFrame, MetricFrame]
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
        """Return a metric averaged over seeds, in the metric's own shape.

        Args:
            metric: Name of a metric.
            view: What is asked of it. The worst group and the gap are those *after* averaging over the
                seeds, so that they are those of the averages shown.
            seeds: Which of the row's seeds. Default: all.
        """
        return _mean(self.estimates, metric, view, self.seeds if seeds is None else seeds)

    def mean_replicates(self, metric: str, view: View = View.OVERALL, seeds: Iterable[int] | None = None) -> Floats:
        """Return what :meth:`mean` does in each resample, the axis of resamples first."""
        return _mean(self.replicates, metric, view, self.seeds if seeds is None else seeds)

    def estimate(self, metric: str, view: View = View.OVERALL) -> Estimate:
        """Return a metric averaged over the seeds, with its interval.

        A share of faces that is exactly 0 or 1 is so in every resample too; its interval is then the exact
        binomial one of :func:`exact_limit`.
        """
        value = self.mean(metric, view)
        low, high = percentile_interval(self.mean_replicates(metric, view), self.confidence)
        if CATALOGUE[metric].is_share and view in (View.OVERALL, View.BY_GROUP):
            limit = exact_limit(self._faces(metric, view), self.confidence)
            low, high = np.where(value == 1, limit, low), np.where(value == 0, 1 - limit, high)
        return Estimate(value, low, high)

    def _faces(self, metric: str, view: View) -> npt.NDArray[np.int64]:
        """Return the number of test faces behind each value of a share, in the share's shape."""
        predictions = self.first
        per = CATALOGUE[metric].per
        columns = GROUP_COLUMNS if view is View.BY_GROUP else (per,) if per else ()
        if not columns:
            return np.asarray(len(predictions))
        sizes = tuple(len(predictions.labels.names(column)) for column in columns)
        codes = np.ravel_multi_index([predictions.faces[column].to_numpy(np.int64) for column in columns], sizes)
        return np.bincount(codes, minlength=int(np.prod(sizes)))

    def natural_estimate(self, metric: str) -> Estimate:
        """Return a metric in the natural population, with its interval."""
        estimates, replicates = (frame.overall[metric] for frame in self.natural)
        return Estimate(estimates, *percentile_interval(replicates, self.confidence))


def _mean(by_seed: Mapping[int, MetricFrame], metric: str, view: View, seeds: Iterable[int]) -> Floats:
    if view in (View.OVERALL, View.BY_GROUP):
        return np.asarray(np.mean([view.of(by_seed[seed], metric) for seed in seeds], axis=0), dtype=np.float64)
    by_group = _mean(by_seed, metric, View.BY_GROUP, seeds)
    return view.of(MetricFrame({}, by_group={metric: by_group}), metric)


def score_seeds(
    predictions: Sequence[Predictions],
    observed: Weighting,
    resampled: Weighting,
    shares: Floats,
    confidence: float,
) -> Scored:
    """Score one variant.

    Args:
        predictions: One per seed, aligned by face with the weightings.
        observed: Of :meth:`Weighting.observed`.
        resampled: Of :meth:`Weighting.bootstrap`; the same for all variants, so that they are paired.
        shares: Share of each cell in the natural population, shape ``[cells]``.
        confidence: Share that intervals cover.
    """
    by_seed = {run.seed: run for run in sorted(predictions, key=lambda run: run.seed)}
    estimates, replicates = {}, {}
    natural_estimates, natural_replicates = [], []
    for seed, run in by_seed.items():
        point, natural_point = (frame.map(lambda values: values[0]) for frame in observed.score(run, shares))
        draws, natural_draws = (frame.without_confusions() for frame in resampled.score(run, shares))
        estimates[seed], replicates[seed] = point, draws
        natural_estimates.append(natural_point)
        natural_replicates.append(natural_draws)
    natural = (average(natural_estimates), average(natural_replicates))
    return Scored(by_seed, estimates, replicates, natural, confidence)


def common_seeds(a: Scored, b: Scored) -> list[int]:
    """Return the seeds that both rows were trained with, ascending."""
    return [seed for seed in a.seeds if seed in b.predictions]


def difference(a: Scored, b: Scored, metric: str, view: View = View.OVERALL) -> Estimate:
    """Return a metric of ``a`` less that of ``b`` over their common seeds, with its paired interval.

    Args:
        a: One row.
        b: Another, with at least one seed in common.
        metric: Name of a metric.
        view: What is asked of it.
    """
    seeds = common_seeds(a, b)
    replicates = a.mean_replicates(metric, view, seeds) - b.mean_replicates(metric, view, seeds)
    value = a.mean(metric, view, seeds) - b.mean(metric, view, seeds)
    return Estimate(value, *percentile_interval(replicates, a.confidence))


def natural_difference(a: Scored, b: Scored, metric: str) -> Estimate | None:
    """Return the difference in the natural population; None unless both rows have the same seeds."""
    if a.seeds != b.seeds:
        return None
    value, replicates = (
        ours.overall[metric] - theirs.overall[metric] for ours, theirs in zip(a.natural, b.natural, strict=True)
    )
    return Estimate(value, *percentile_interval(replicates, a.confidence))
