"""From a row's scores to the numbers that the contract holds."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.compare.contract import (
    Box,
    Differences,
    ErrorByAge,
    GroupInterval,
    GroupValues,
    Interval,
    NamedInterval,
    Number,
    Scalar,
)
from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS
from components.evaluation.catalogue import CATALOGUE, GROUPED, NAMED, SCALARS, Metric, switched_on
from components.evaluation.scoring import Estimate, Scored, View, common_seeds, difference

_DECIMALS = 6

_AGE = OUTPUTS["age"]


def number(value: float) -> Number:
    """Return a JSON number: six decimals, and None for what is undefined."""
    return round(float(value), _DECIMALS) if math.isfinite(value) else None


def numbers(values: npt.NDArray[np.number]) -> Any:
    """Return an array as nested lists of JSON numbers."""
    return number(float(values)) if values.ndim == 0 else [numbers(row) for row in values]


def interval(estimate: Estimate) -> Interval:
    """Return the interval of a single-number estimate."""
    return Interval(value=numbers(estimate.value), low=numbers(estimate.low), high=numbers(estimate.high))


def named_intervals(estimate: Estimate, names: Sequence[str]) -> dict[str, Interval]:
    """Return an estimate of shape ``[names]`` as one interval per name."""
    return {
        name: interval(Estimate(estimate.value[place], estimate.low[place], estimate.high[place]))
        for place, name in enumerate(names)
    }


def deviation(by_seed: Sequence[float]) -> Number:
    """Return the standard deviation over seeds, ddof 1; None with one seed."""
    return number(float(np.std(by_seed, ddof=1))) if len(by_seed) > 1 else None


def measure(scored: Scored, labels: Labels, *, seeds: bool = True) -> dict[str, Any]:
    """Return the :class:`~components.compare.contract.Metrics` of a row; with ``seeds``, each seed's values too.

    An ensemble has none of a single seed.
    """
    scalars, grouped = switched_on(SCALARS, labels), switched_on(GROUPED, labels)
    intervals = {
        name: named_intervals(scored.estimate(name), labels.names(str(metric.per)))
        for name, metric in switched_on(NAMED, labels).items()
    }
    return {
        **{name: _scalar(scored, name, seeds=seeds and not scored.is_ensemble) for name in scalars},
        **{name: {key: entry.value for key, entry in named.items()} for name, named in intervals.items()},
        **_confusions(scored, labels),
        "intervals": intervals,
        "groups": {name: _group_values(scored, metric, labels) for name, metric in grouped.items()},
        "natural": {name: interval(scored.estimate(name, View.NATURAL)) for name in scalars},
    }


def _scalar(scored: Scored, name: str, *, seeds: bool) -> Scalar:
    values = [float(estimates.overall[name]) for estimates in scored.estimates.values()]
    by_seed = {str(seed): number(value) for seed, value in zip(scored.estimates, values, strict=True)}
    by_seed_facts = {"std": deviation(values), "by_seed": by_seed} if seeds else {}
    return Scalar(**dict(interval(scored.estimate(name))), **by_seed_facts)


def _confusions(scored: Scored, labels: Labels) -> dict[str, Any]:
    """Confusion counts summed over the seeds, as whole numbers, and as shares of the true class."""
    frames = list(scored.estimates.values())
    confusions: dict[str, Any] = {}
    for output in frames[0].confusion:
        counts = np.rint(np.sum([frame.confusion[output] for frame in frames], axis=0)).astype(np.int64)
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
        confusions |= {f"{output}_confusion": counts.tolist(), f"{output}_confusion_normalised": numbers(shares)}
    for output, other in frames[0].confusion_by:
        counts = np.rint(np.sum([frame.confusion_by[output, other] for frame in frames], axis=0)).astype(np.int64)
        confusions[f"{output}_confusion_by_{other}"] = dict(zip(labels.names(other), counts.tolist(), strict=True))
    return confusions


def _group_values(scored: Scored, metric: Metric, labels: Labels) -> GroupValues:
    """One metric of every gender × ethnicity group, the worst and the best group, and the gap."""
    names = labels.group_names
    estimate = scored.estimate(metric.name, View.BY_GROUP)
    intervals = named_intervals(estimate, names)
    faces = np.bincount(scored.first.cells() // len(labels.age_bins), minlength=len(names)).tolist()
    badness = metric.better.badness(estimate.value)
    worst, best = names[int(np.nanargmax(badness))], names[int(np.nanargmin(badness))]
    return GroupValues(
        better=metric.better,
        overall=number(_overall(scored, metric)),
        by_group={
            name: GroupInterval(**dict(intervals[name]), faces=size) for name, size in zip(names, faces, strict=True)
        },
        worst=NamedInterval(**dict(interval(scored.estimate(metric.name, View.WORST_GROUP))), group=worst),
        best=NamedInterval(**dict(intervals[best]), group=best),
        difference=interval(scored.estimate(metric.name, View.GROUP_GAP)),
    )


def _overall(scored: Scored, metric: Metric) -> float:
    """Return what a group's metric is over all groups: a class's recall within its group is an accuracy there."""
    if metric.per is None:
        return float(scored.mean(metric.name))
    if metric.name == f"{metric.output}_recall":
        return float(scored.mean(f"{metric.output}_accuracy"))
    return float(np.nanmean(scored.mean(metric.name)))


def differences(scored: Scored, reference: Scored, labels: Labels) -> Differences | None:
    """Return every metric of a row minus that of the reference, paired; None if they have no common seed."""
    if not common_seeds(scored, reference):
        return None

    def change(name: str, view: View = View.OVERALL) -> Estimate:
        return difference(scored, reference, name, view)

    has_same_seeds = scored.seeds == reference.seeds
    scalars, named, grouped = (switched_on(metrics, labels) for metrics in (SCALARS, NAMED, GROUPED))
    return Differences(
        seeds=common_seeds(scored, reference),
        natural={name: interval(change(name, View.NATURAL)) for name in scalars if has_same_seeds},
        worst_group={name: interval(change(name, View.WORST_GROUP)) for name in grouped},
        group_gap={name: interval(change(name, View.GROUP_GAP)) for name in grouped},
        **{name: interval(change(name)) for name in scalars},
        **{name: named_intervals(change(name), labels.names(str(CATALOGUE[name].per))) for name in named},
    )


def error_by_age(scored: Scored) -> ErrorByAge:
    """Return the error at each true age in years: faces, mean error and mean absolute error over the seeds."""
    errors = _age_errors(scored)
    ages, places = np.unique(scored.first.faces[_AGE.name].to_numpy(np.int64), return_inverse=True)
    faces = np.bincount(places)
    bias, mae = (np.bincount(places, sizes.mean(axis=0)) / faces for sizes in (errors, np.abs(errors)))
    return ErrorByAge(age=ages.tolist(), faces=faces.tolist(), bias=numbers(bias), mae=numbers(mae))


def error_boxes(scored: Scored, labels: Labels) -> dict[str, Box | None]:
    """Return the distribution of the signed age error in each age bin, pooled over all seeds."""
    errors = _age_errors(scored)
    places = scored.first.faces["age_bin"].to_numpy(np.int64)
    return {name: _box(errors[:, places == place].ravel()) for place, name in enumerate(labels.age_bins)}


def _age_errors(scored: Scored) -> npt.NDArray[np.float64]:
    """Signed age errors in years, shape ``[seeds, faces]``."""
    return np.stack([predictions.errors(_AGE) for predictions in scored.predictions.values()])


def _box(errors: npt.NDArray[np.float64]) -> Box | None:
    if not len(errors):
        return None
    low, q1, median, q3, high = np.percentile(errors, (5, 25, 50, 75, 95))
    # A whisker ends at an error that actually occurs.
    low, high = errors[errors >= low].min(), errors[errors <= high].max()
    return Box(low=number(low), q1=number(q1), median=number(median), q3=number(q3), high=number(high))
