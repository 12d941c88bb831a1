"""Rows of the comparison: one variant's numbers as JSON values."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from components.dataset.labels import Labels
from components.evaluation.metrics import GROUP_METRICS, HEADLINES, badness_of
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Estimate, Scored, common_seeds, difference

Floats = npt.NDArray[np.float64]

_DECIMALS = 6


def number(value: float) -> float | None:
    """Return a JSON number: six decimals, and null for what is undefined."""
    return round(float(value), _DECIMALS) if math.isfinite(value) else None


def numbers(values: npt.NDArray[np.number]) -> Any:
    """Return an array as nested lists of JSON numbers."""
    return number(float(values)) if values.ndim == 0 else [numbers(each) for each in values]


def interval(estimate: Estimate) -> dict[str, float | None]:
    """Return an estimate of one number as ``value``, ``low`` and ``high``."""
    return {"value": numbers(estimate.value), "low": numbers(estimate.low), "high": numbers(estimate.high)}


def named_intervals(estimate: Estimate, names: Sequence[str]) -> dict[str, dict[str, float | None]]:
    """Return an estimate of shape ``[names]`` as one interval per name."""
    return {
        name: interval(Estimate(estimate.value[place], estimate.low[place], estimate.high[place]))
        for place, name in enumerate(names)
    }


def group_names(labels: Labels) -> list[str]:
    """Return the names of the gender × ethnicity groups, in the order of the group metrics."""
    return [f"{gender}, {ethnicity}" for gender in labels.genders for ethnicity in labels.ethnicities]


def named_metrics(labels: Labels) -> dict[str, Sequence[str]]:
    """Return the metrics that have one number per age bin or class, with the names of those."""
    return {
        "age_mae_by_bin": labels.age_bins,
        "age_bias_by_bin": labels.age_bins,
        "gender_recall": labels.genders,
        "ethnicity_recall": labels.ethnicities,
        "ethnicity_precision": labels.ethnicities,
        "ethnicity_f1": labels.ethnicities,
    }


def metric_values(scored: Scored, labels: Labels) -> dict[str, Any]:
    """Return every metric of a row: one number each, per class and bin, confusions, groups, natural population."""
    values: dict[str, Any] = {name: interval(scored.estimate(name)) for name in HEADLINES}
    for name in HEADLINES:
        by_seed = [float(scored.estimates[seed][name]) for seed in scored.seeds]
        values[name]["std"] = number(float(np.std(by_seed, ddof=1))) if len(by_seed) > 1 else None
        values[name]["by_seed"] = {str(seed): number(one) for seed, one in zip(scored.seeds, by_seed, strict=True)}
    intervals = {
        name: named_intervals(scored.estimate(name), entries) for name, entries in named_metrics(labels).items()
    }
    for name, named in intervals.items():
        values[name] = {entry: one["value"] for entry, one in named.items()}
    values["intervals"] = intervals
    for name in ("gender_confusion", "ethnicity_confusion"):
        counts = _summed(scored, name)
        totals = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
        values[name], values[f"{name}_normalised"] = counts.tolist(), numbers(shares)
    for name, entries in (
        ("ethnicity_confusion_by_gender", labels.genders),
        ("gender_confusion_by_ethnicity", labels.ethnicities),
    ):
        values[name] = dict(zip(entries, _summed(scored, name).tolist(), strict=True))
    values["groups"] = {name: _group_values(scored, name, labels) for name in GROUP_METRICS}
    values["natural"] = {name: interval(scored.natural_estimate(name)) for name in HEADLINES}
    return values


def differences(scored: Scored, reference: Scored, labels: Labels) -> dict[str, Any] | None:
    """Return every metric of a row less that of the reference, paired; None when no seed is common."""
    seeds = common_seeds(scored, reference)
    if not seeds:
        return None
    found: dict[str, Any] = {"seeds": seeds}
    found |= {name: interval(difference(scored, reference, name)) for name in HEADLINES}
    for name, entries in named_metrics(labels).items():
        found[name] = named_intervals(difference(scored, reference, name), entries)
    natural = {name: scored.natural_difference(reference, name) for name in HEADLINES}
    found["natural"] = {name: interval(one) for name, one in natural.items() if one is not None}
    for key in ("worst_group", "group_gap"):
        found[key] = {name: interval(difference(scored, reference, f"{key}_{name}")) for name in GROUP_METRICS}
    return found


def age_error_by_age(scored: Scored) -> dict[str, list[Any]]:
    """Return the error at each true age in years: faces, mean error and mean absolute error over the seeds."""
    first = scored.predictions[scored.seeds[0]].faces
    truth = first["age"].to_numpy(np.int64)
    errors = np.stack(
        [each.faces["predicted_age"].to_numpy(np.float64) - truth for each in scored.predictions.values()]
    )
    ages, places = np.unique(truth, return_inverse=True)
    faces = np.bincount(places)

    def mean_per_age(values: Floats) -> Any:
        return numbers(np.bincount(places, values.mean(axis=0)) / faces)

    return {
        "age": ages.tolist(),
        "faces": faces.tolist(),
        "bias": mean_per_age(errors),
        "mae": mean_per_age(np.abs(errors)),
    }


def example_rows(predictions: Predictions, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return rows of some faces to show, the same for every network; different cells first."""
    order = np.random.default_rng(seed).permutation(len(predictions))
    cells = predictions.cells()[order]
    _, first_of_cell = np.unique(cells, return_index=True)
    rows: npt.NDArray[np.int64] = np.concatenate([order[np.sort(first_of_cell)], np.delete(order, first_of_cell)])
    return rows[:count]


def describe_faces(predictions: Predictions, rows: npt.NDArray[np.integer]) -> list[dict[str, Any]]:
    """Return truth and prediction of some faces, with names in place of codes."""
    labels = predictions.labels
    return [
        {
            "image_id": str(face["image_id"]),
            "age": int(face["age"]),
            "gender": labels.genders[face["gender"]],
            "ethnicity": labels.ethnicities[face["ethnicity"]],
            "predicted_age": number(face["predicted_age"]),
            "predicted_gender": labels.genders[face["predicted_gender"]],
            "predicted_ethnicity": labels.ethnicities[face["predicted_ethnicity"]],
            "female_probability": number(face["female_probability"]),
            "ethnicity_probability": number(face["ethnicity_probabilities"][face["predicted_ethnicity"]]),
        }
        for face in predictions.faces.iloc[rows].to_dict("records")
    ]


def worst_errors(scored: Scored, count: int) -> dict[str, Any]:
    """Return the surest mistakes on the ethnicity with the lowest recall, from the first seed."""
    predictions = scored.predictions[scored.seeds[0]]
    weakest = int(np.nanargmin(scored.mean("ethnicity_recall")))
    faces = predictions.faces
    predicted = faces["predicted_ethnicity"].to_numpy(np.int64)
    wrong = np.flatnonzero((faces["ethnicity"] == weakest).to_numpy() & (predicted != weakest))
    surety = predictions.probabilities()[wrong, predicted[wrong]]
    rows = wrong[np.argsort(-surety, kind="stable")][:count]
    return {"ethnicity": predictions.labels.ethnicities[weakest], "faces": describe_faces(predictions, rows)}


def by_seed(seeds: Sequence[int], value: Callable[[int], Any]) -> dict[str, Any]:
    """Return a value per seed, under the seed's decimal digits: JSON has no whole numbers as keys."""
    return {str(seed): value(seed) for seed in seeds}


def _summed(scored: Scored, name: str) -> npt.NDArray[np.int64]:
    """Confusion counts summed over the seeds, as whole numbers."""
    total = np.sum([scored.estimates[seed][name] for seed in scored.seeds], axis=0)
    return np.asarray(np.rint(total), dtype=np.int64)


def _group_values(scored: Scored, name: str, labels: Labels) -> dict[str, Any]:
    """One metric of every gender × ethnicity group, the worst and the best group, and the gap."""
    better = GROUP_METRICS[name]
    names = group_names(labels)
    estimate = scored.estimate(f"group_{name}")
    entries = named_intervals(estimate, names)
    first = scored.predictions[scored.seeds[0]].faces
    groups = first["gender"].to_numpy(np.int64) * len(labels.ethnicities) + first["ethnicity"].to_numpy(np.int64)
    faces = np.bincount(groups, minlength=len(names)).tolist()
    badness = badness_of(estimate.value, better)
    worst, best = names[int(np.nanargmax(badness))], names[int(np.nanargmin(badness))]
    overall = name if name in HEADLINES else {"ethnicity_recall": "ethnicity_accuracy"}.get(name)
    whole = scored.mean(overall) if overall else np.nanmean(scored.mean(name))
    return {
        "better": better,
        "overall": number(float(whole)),
        "by_group": {group: {"faces": size, **entries[group]} for group, size in zip(names, faces, strict=True)},
        "worst": {"group": worst, **entries[worst]},
        "best": {"group": best, **entries[best]},
        "difference": interval(scored.estimate(f"group_gap_{name}")),
    }
