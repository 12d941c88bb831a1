"""Estimates and bootstrap replicates of every metric, for one variant over its seeds."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.evaluation.bootstrap import Weighting, average_over_seeds, percentile_interval
from components.evaluation.metrics import GROUP_METRICS, Metrics, worst_and_gap
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]

_WORST, _GAP = "worst_group_", "group_gap_"

_SHARES_OF: Mapping[str, Sequence[str]] = {
    "gender_accuracy": (),
    "ethnicity_accuracy": (),
    "gender_recall": ("gender",),
    "ethnicity_recall": ("ethnicity",),
    "group_gender_accuracy": ("gender", "ethnicity"),
    "group_ethnicity_recall": ("gender", "ethnicity"),
}
"""Metrics that are a share of the test faces, with the columns whose classes they are given for."""


def exact_limit(faces: Floats, confidence: float) -> Floats:
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
        estimates: Metrics on the test set by seed, each of the metric's own shape.
        replicates: Metrics in every bootstrap resample by seed, with the axis of resamples first;
            without the confusion counts.
        natural: Metrics in the natural population, averaged over the seeds: estimates and replicates.
        confidence: Share that the intervals cover.
    """

    predictions: Mapping[int, Predictions]
    estimates: Mapping[int, Metrics]
    replicates: Mapping[int, Metrics]
    natural: tuple[Metrics, Metrics]
    confidence: float

    @property
    def seeds(self) -> list[int]:
        """Seeds, ascending."""
        return list(self.predictions)

    def mean(self, metric: str, seeds: Iterable[int] | None = None) -> Floats:
        """Return a metric averaged over seeds (all by default), in the metric's own shape.

        Args:
            metric: Any metric of the estimates, or ``worst_group_<name>`` or ``group_gap_<name>`` of a
                group metric: the worst group and the gap between groups *after* averaging over the
                seeds, so that they are those of the averages shown.
            seeds: Which of the row's seeds.
        """
        return self._mean(self.estimates, metric, seeds)

    def mean_replicates(self, metric: str, seeds: Iterable[int] | None = None) -> Floats:
        """Return what :meth:`mean` does in each resample, the axis of resamples first."""
        return self._mean(self.replicates, metric, seeds)

    def _mean(self, by_seed: Mapping[int, Metrics], metric: str, seeds: Iterable[int] | None) -> Floats:
        chosen = self.seeds if seeds is None else list(seeds)
        for place, prefix in enumerate((_WORST, _GAP)):
            if metric.startswith(prefix):
                name = metric.removeprefix(prefix)
                return worst_and_gap(self._mean(by_seed, f"group_{name}", chosen), GROUP_METRICS[name])[place]
        return np.asarray(np.mean([by_seed[seed][metric] for seed in chosen], axis=0), dtype=np.float64)

    def estimate(self, metric: str) -> Estimate:
        """Return a metric averaged over the seeds, with its interval.

        A share of faces that is exactly 0 or 1 is so in every resample too; its interval is then the exact
        binomial one of :func:`exact_limit`.
        """
        value = self.mean(metric)
        low, high = percentile_interval(self.mean_replicates(metric), self.confidence)
        if metric in _SHARES_OF:
            limit = exact_limit(self._faces(_SHARES_OF[metric]), self.confidence)
            low, high = np.where(value == 1, limit, low), np.where(value == 0, 1 - limit, high)
        return Estimate(value, low, high)

    def _faces(self, columns: Sequence[str]) -> Floats:
        """Return the number of test faces per combination of some columns' classes, shape ``[combinations]``."""
        first = self.predictions[self.seeds[0]]
        sizes = {"gender": len(first.labels.genders), "ethnicity": len(first.labels.ethnicities)}
        codes = np.zeros(len(first), np.int64)
        for column in columns:
            codes = codes * sizes[column] + first.faces[column].to_numpy(np.int64)
        counts = np.bincount(codes, minlength=int(np.prod([sizes[column] for column in columns])))
        return np.asarray(counts if columns else counts[0], np.float64)

    def natural_difference(self, other: "Scored", metric: str) -> Estimate | None:
        """Return a metric in the natural population less that of another row; None unless their seeds are equal."""
        if self.seeds != other.seeds:
            return None
        replicates = self.natural[1][metric] - other.natural[1][metric]
        return Estimate(
            self.natural[0][metric] - other.natural[0][metric], *percentile_interval(replicates, self.confidence)
        )

    def natural_estimate(self, metric: str) -> Estimate:
        """Return a metric in the natural population, with its interval."""
        values, replicates = self.natural
        return Estimate(values[metric], *percentile_interval(replicates[metric], self.confidence))


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
    by_seed = {each.seed: each for each in sorted(predictions, key=lambda each: each.seed)}
    estimates, replicates = {}, {}
    natural_estimates, natural_replicates = [], []
    for seed, each in by_seed.items():
        point, natural_point = observed.metrics(each, shares)
        draws, natural_draws = resampled.metrics(each, shares)
        estimates[seed] = {name: values[0] for name, values in point.items()}
        replicates[seed] = {name: values for name, values in draws.items() if "confusion" not in name}
        natural_estimates.append({name: values[0] for name, values in natural_point.items()})
        natural_replicates.append({name: values for name, values in natural_draws.items() if "confusion" not in name})
    natural = (average_over_seeds(natural_estimates), average_over_seeds(natural_replicates))
    return Scored(by_seed, estimates, replicates, natural, confidence)


def common_seeds(a: Scored, b: Scored) -> list[int]:
    """Return the seeds that both rows were trained with, ascending."""
    return [seed for seed in a.seeds if seed in b.predictions]


def difference(a: Scored, b: Scored, metric: str) -> Estimate:
    """Return a metric of ``a`` less that of ``b`` over their common seeds, with its paired interval.

    Args:
        a: One row.
        b: Another, with at least one seed in common.
        metric: As in :meth:`Scored.mean`.
    """
    seeds = common_seeds(a, b)
    replicates = a.mean_replicates(metric, seeds) - b.mean_replicates(metric, seeds)
    return Estimate(a.mean(metric, seeds) - b.mean(metric, seeds), *percentile_interval(replicates, a.confidence))
