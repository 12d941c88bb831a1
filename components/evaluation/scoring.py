"""Estimates and bootstrap replicates of every metric, for one variant over its seeds.

Intervals and tests are over other test faces and, with several seeds, over other seeds
(:mod:`components.evaluation.seeds`).
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import partial

import numpy as np
import numpy.typing as npt

from components.dataset.outputs import FOCUS
from components.evaluation.bootstrap import Weighting, percentile_interval
from components.evaluation.catalogue import CATALOGUE, GROUP_COLUMNS, TESTED, Better, switched_on
from components.evaluation.frame import MetricFrame
from components.evaluation.predictions import Predictions, average
from components.evaluation.seeds import SeedSpread
from components.evaluation.shares import at_least_wilson, exact_limit, paired_score_interval

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
        estimates: Metrics on the faces by seed.
        replicates: Metrics in every bootstrap resample by seed, with the axis of resamples first;
            without the confusion counts.
        confidence: Share that the intervals cover.
        networks: Name of the trained networks behind the row; rows of the same networks are paired by seed.
        left_out: For an ensemble, by each seed, the estimates and the replicates of the ensemble without that seed's
            network. The ensemble itself is then the only entry of the mappings above, under its first seed. Empty
            for a row whose numbers are means over its networks.
    """

    predictions: Mapping[int, Predictions]
    estimates: Mapping[int, MetricFrame]
    replicates: Mapping[int, MetricFrame]
    confidence: float
    networks: str
    left_out: Mapping[int, tuple[MetricFrame, MetricFrame]] = field(default_factory=dict)

    @property
    def seeds(self) -> list[int]:
        """Seeds of the networks, ascending."""
        return list(self.left_out or self.predictions)

    @property
    def is_ensemble(self) -> bool:
        """Whether the row is one model that averages its networks' answers."""
        return bool(self.left_out)

    @property
    def first(self) -> Predictions:
        """Predictions of the first seed; of an ensemble, its own."""
        return next(iter(self.predictions.values()))

    def mean(self, metric: str, view: View = View.OVERALL, seeds: Sequence[int] | None = None) -> Floats:
        """Return a metric averaged over seeds (default: all of the row's), in the metric's own shape.

        The worst group and the gap are found *after* averaging over the seeds, from the averages shown. Of an
        ensemble, it is the metric of the averaged answers: of all networks, or of all but one.
        """
        return _mean([estimates for estimates, _ in self._frames(seeds)], metric, view)

    def mean_replicates(self, metric: str, view: View = View.OVERALL, seeds: Sequence[int] | None = None) -> Floats:
        """Return the :meth:`mean` of each resample, the axis of resamples first."""
        return _mean([replicates for _, replicates in self._frames(seeds)], metric, view)

    def spread(self, metric: str, view: View = View.OVERALL) -> SeedSpread:
        """Return the error that the seeds bring to a :meth:`mean`."""
        return SeedSpread.of(
            lambda seeds: self.mean(metric, view, seeds),
            lambda seeds: self.mean_replicates(metric, view, seeds),
            self.seeds,
        )

    def _frames(self, seeds: Sequence[int] | None) -> list[tuple[MetricFrame, MetricFrame]]:
        """Return the estimates and replicates whose average the row's numbers are, for some of its networks."""
        if self.is_ensemble:
            absent = [] if seeds is None else [seed for seed in self.seeds if seed not in seeds]
            if absent:
                [seed] = absent
                return [self.left_out[seed]]
            seeds = None
        return [(self.estimates[seed], self.replicates[seed]) for seed in seeds or self.predictions]

    def estimate(self, metric: str, view: View = View.OVERALL) -> Estimate:
        """Return a metric averaged over the seeds, with its interval.

        A share of faces that is exactly 0 or 1 is the same in every resample; its interval is then the exact
        binomial one of :func:`~components.evaluation.shares.exact_limit`. One that is nearly so has too few faces on
        the rare side for a resample to show its spread; its interval reaches at least as far as Wilson's.
        """
        if view in (View.WORST_GROUP, View.GROUP_GAP):
            return self._extreme(metric, view)
        value = self.mean(metric, view)
        widened = self.spread(metric, view).widen(self.mean_replicates(metric, view))
        low, high = percentile_interval(widened, self.confidence)
        if not CATALOGUE[metric].is_age:
            # The seeds' error knows no bounds; a share, a precision and an F1 have them.
            low, high = np.clip(low, 0, 1), np.clip(high, 0, 1)
        if CATALOGUE[metric].is_share and view is not View.NATURAL:
            faces = self.faces_behind(metric, view)
            low, high = at_least_wilson(value, faces, low, high, self.confidence)
            limit = exact_limit(faces, self.confidence)
            low, high = np.where(value == 1, limit, low), np.where(value == 0, 1 - limit, high)
        return Estimate(value, low, high)

    def _extreme(self, metric: str, view: View) -> Estimate:
        """Return the worst group's value or the gap between groups, with an interval that allows for the search.

        The lowest of several noisy values is lower than the lowest true one, and lower still in a resample. But the
        lowest true value is below the lower limit of its own group with the chance of one interval, and above the
        lowest of the groups' upper limits only if one of these fails: so the lower limits are those of single
        groups, and the upper ones hold for all groups at once (the largest standardised deviation in a resample).
        """
        by_group, tail = self.mean(metric, View.BY_GROUP), (1 - self.confidence) / 2
        replicates = self.spread(metric, View.BY_GROUP).widen(self.mean_replicates(metric, View.BY_GROUP))
        known = np.isfinite(by_group) & np.isfinite(replicates).all(axis=0)
        by_group, replicates = by_group[known], replicates[:, known]
        sizes = replicates.std(axis=0)
        deviations = np.divide(replicates - by_group, sizes, out=np.zeros_like(replicates), where=sizes > 0)
        below = by_group + sizes * np.quantile(deviations.min(axis=1), tail)
        above = by_group + sizes * np.quantile(deviations.max(axis=1), 1 - tail)
        single_below, single_above = np.quantile(replicates, (tail, 1 - tail), axis=0)
        if CATALOGUE[metric].is_share:
            limit = exact_limit(
                self.faces_behind(metric, View.BY_GROUP)[known], 1 - (1 - self.confidence) / known.sum()
            )
            below, single_below = (
                np.where(by_group == 1, limit, np.clip(each, 0, 1)) for each in (below, single_below)
            )
            above, single_above = (
                np.where(by_group == 0, 1 - limit, np.clip(each, 0, 1)) for each in (above, single_above)
            )
        value = self.mean(metric, view)
        if view is View.GROUP_GAP:
            low = max(0.0, float(below.max() - above.min()))
            return Estimate(value, np.asarray(low), np.asarray(above.max() - below.min()))
        better = CATALOGUE[metric].better
        if better is Better.ZERO:
            place = int(np.argmax(np.abs(by_group)))
            return Estimate(value, below[place], above[place])
        if better is Better.LOWER:
            return Estimate(value, below.max(), single_above.max())
        return Estimate(value, single_below.min(), above.min())

    def with_tested_replicates(self) -> "Scored":
        """Return the row with no replicates but those of the tested metrics, a few percent of all."""
        metrics = switched_on(TESTED, self.first.labels)

        def tested(frame: MetricFrame) -> MetricFrame:
            return MetricFrame(
                {metric: frame.overall[metric] for metric in metrics},
                natural={metric: frame.natural[metric] for metric in metrics},
            )

        return replace(
            self,
            replicates={seed: tested(frame) for seed, frame in self.replicates.items()},
            left_out={seed: (estimates, tested(frame)) for seed, (estimates, frame) in self.left_out.items()},
        )

    def faces_behind(self, metric: str, view: View) -> npt.NDArray[np.int64]:
        """Return the number of test faces behind each value of a share, in the share's shape."""
        faces, labels, per = self.first.faces, self.first.labels, CATALOGUE[metric].per
        if view is not View.BY_GROUP and per is None:
            return np.asarray(len(faces))
        told = [column for column in GROUP_COLUMNS if column in labels.cell_columns]
        columns = told if view is View.BY_GROUP else [str(per)]
        sizes = [len(labels.names(column)) for column in columns]
        codes = np.ravel_multi_index([faces[column].to_numpy(np.int64) for column in columns], sizes)
        return np.bincount(codes, minlength=math.prod(sizes))


def _mean(frames: Sequence[MetricFrame], metric: str, view: View) -> Floats:
    if view in (View.OVERALL, View.BY_GROUP, View.NATURAL):
        return np.asarray(np.mean([getattr(frame, view)[metric] for frame in frames], axis=0), np.float64)
    averages = MetricFrame({}, by_group={metric: _mean(frames, metric, View.BY_GROUP)})
    return averages.worst_group(metric) if view is View.WORST_GROUP else averages.group_gap(metric)


def score_seeds(
    predictions: Sequence[Predictions],
    observed: Weighting,
    resampled: Weighting,
    shares: Floats,
    confidence: float,
    networks: str | None = None,
) -> Scored:
    """Score a row whose numbers are means over its networks.

    Args:
        predictions: One per seed, aligned by face with the weightings.
        observed: From :meth:`Weighting.observed`.
        resampled: From :meth:`Weighting.bootstrap`; the same for all variants, so that they are paired.
        shares: Share of each cell in the natural population, shape ``[cells]``.
        confidence: Share that intervals cover.
        networks: Name of the trained networks. Default: the variant of the predictions.
    """
    by_seed = {run.seed: run for run in sorted(predictions, key=lambda run: run.seed)}
    estimates = {seed: _observe(run, observed, shares) for seed, run in by_seed.items()}
    replicates = {seed: _resample(run, resampled, shares) for seed, run in by_seed.items()}
    return Scored(by_seed, estimates, replicates, confidence, networks or predictions[0].variant)


def score_ensemble(
    predictions: Sequence[Predictions],
    observed: Weighting,
    resampled: Weighting,
    shares: Floats,
    confidence: float,
    networks: str,
) -> Scored:
    """Score the one model that averages the answers of several networks.

    How much its numbers depend on the seeds is found by leaving out one network after the other, so that the row takes
    one score more than it has networks.

    Args:
        predictions: One per seed, of two seeds or more, aligned by face with the weightings.
        observed: As in :func:`score_seeds`.
        resampled: Likewise.
        shares: Likewise.
        confidence: Likewise.
        networks: Name of the trained networks.
    """
    members = sorted(predictions, key=lambda run: run.seed)
    whole = average(members)
    left_out = {}
    for member in members:
        others = average([other for other in members if other is not member])
        left_out[member.seed] = (_observe(others, observed, shares), _resample(others, resampled, shares))
    estimates, replicates = _observe(whole, observed, shares), _resample(whole, resampled, shares)
    key = whole.seed
    return Scored({key: whole}, {key: estimates}, {key: replicates}, confidence, networks, left_out)


def _observe(predictions: Predictions, observed: Weighting, shares: Floats) -> MetricFrame:
    return next(observed.score(predictions, shares)).at(0)


def _resample(predictions: Predictions, resampled: Weighting, shares: Floats) -> MetricFrame:
    return MetricFrame.joined(frame.without_confusions() for frame in resampled.score(predictions, shares))


def common_seeds(a: Scored, b: Scored) -> list[int]:
    """Return the seeds that both rows were trained with, ascending."""
    return [seed for seed in a.seeds if seed in b.seeds]


def difference(a: Scored, b: Scored, metric: str, view: View = View.OVERALL) -> Estimate:
    """Return a metric of ``a`` minus that of ``b``, with its paired interval, over their (one or more) common seeds.

    The difference of two shares of which each is exactly 0 or 1 is the same in every resample; its interval is then
    the score interval of :func:`~components.evaluation.shares.paired_score_interval`.
    """
    change = Change.of(a, b, {metric: 1.0}, view)
    return change.estimate()


@dataclass(frozen=True)
class Change:
    """A weighted sum of metrics of one row minus that of another, paired by face.

    Attributes:
        value: The difference, of the metric's own shape.
        replicates: The difference in every resample of the faces, the axis of resamples first.
        spread: The error that the seeds bring.
        confidence: Share that the interval covers.
        by_seed: The difference of each common seed, the axis of seeds first; empty where a row is an ensemble.
        faces: Faces behind a difference of shares, in its shape; None for what is not a share.
    """

    value: Floats
    replicates: Floats
    spread: SeedSpread
    confidence: float
    by_seed: Floats
    faces: npt.NDArray[np.int64] | None = None

    @classmethod
    def of(cls, a: Scored, b: Scored, worths: Mapping[str, float], view: View = View.OVERALL) -> "Change":
        """Return the difference between two rows over their common seeds, of which there is at least one.

        Args:
            a: The row.
            b: What it is compared with. Networks of other variants are taken as independent; those of the same
                variant, such as those behind a post-hoc row, are paired by seed.
            worths: Factor of each metric in the sum.
            view: Which view of them.
        """
        seeds = common_seeds(a, b)
        # An ensemble is one model, and keeps all its networks.
        ours, theirs = (row.seeds if row.is_ensemble else seeds for row in (a, b))

        def total(row: Scored, chosen: Sequence[int]) -> Floats:
            return _sum(worth * row.mean(metric, view, chosen) for metric, worth in worths.items())

        def total_replicates(row: Scored, chosen: Sequence[int]) -> Floats:
            return _sum(worth * row.mean_replicates(metric, view, chosen) for metric, worth in worths.items())

        if a.networks == b.networks:
            spread = SeedSpread.of(
                lambda chosen: total(a, chosen) - total(b, chosen),
                lambda chosen: total_replicates(a, chosen) - total_replicates(b, chosen),
                seeds,
            )
        else:
            spread = SeedSpread.of(partial(total, a), partial(total_replicates, a), ours) + SeedSpread.of(
                partial(total, b), partial(total_replicates, b), theirs
            )
        [only, *more] = worths
        is_share = not more and CATALOGUE[only].is_share and view in (View.OVERALL, View.BY_GROUP)
        has_ensemble = a.is_ensemble or b.is_ensemble
        # Rows of the same networks differ in nothing but the output that post-hoc adjustment changes, unless one is
        # an ensemble.
        is_share &= a.networks != b.networks or has_ensemble or CATALOGUE[only].output == FOCUS.name
        value = total(a, ours) - total(b, theirs)
        by_seed = [] if has_ensemble else [total(a, [seed]) - total(b, [seed]) for seed in seeds]
        return cls(
            value=value,
            replicates=total_replicates(a, ours) - total_replicates(b, theirs),
            spread=spread,
            confidence=a.confidence,
            by_seed=np.reshape(by_seed, (len(by_seed), *value.shape)),
            faces=a.faces_behind(only, view) if is_share else None,
        )

    def estimate(self) -> Estimate:
        """Return the difference with its interval."""
        low, high = percentile_interval(self.spread.widen(self.replicates), self.confidence)
        if self.faces is not None:
            ends = np.stack([low, high])
            for place in zip(*np.nonzero(np.atleast_1d(low == high)), strict=True):
                where = place if np.ndim(low) else ()
                ends[:, *where] = paired_score_interval(
                    float(self.value[where]), int(self.faces[where]), self.confidence
                )
            low, high = ends
        return Estimate(self.value, low, high)

    def p_value(self) -> float:
        """Return the two-sided p-value of a single number, over other faces and other seeds."""
        return self.spread.p_value(float(self.value), self.replicates)


def _sum(parts: Iterable[Floats]) -> Floats:
    first, *others = parts
    return np.asarray(sum(others, first), np.float64)
