"""The metrics of the bake-off, as functions of weighted sums per cell.

A test face belongs to one gender × ethnicity × age-bin cell, and each metric here (quantiles aside)
depends on the faces only through a few sums per cell: of the errors, of the squared errors, and of
how often each class was predicted. Computing metrics from these sums lets one call score one test
set, thousands of bootstrap resamples or another population alike: leading axes are carried along.

Conventions, those of scikit-learn with ``zero_division=0``: precision of a class that is never
predicted and F1 of a class that is neither present nor predicted are 0. Recall or mean of no face is
NaN, which :mod:`components.compare` writes as null.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from components.dataset.labels import Labels
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]
Metrics = dict[str, Floats]
Better = Literal["lower", "higher", "zero"]

HEADLINES: dict[str, Better] = {
    "age_mae": "lower",
    "age_bias": "zero",
    "age_error_std": "lower",
    "age_error_median": "lower",
    "age_error_p90": "lower",
    "age_mae_bin_gap": "lower",
    "gender_accuracy": "higher",
    "ethnicity_accuracy": "higher",
    "ethnicity_macro_f1": "higher",
}
"""Metrics that are one number, and which way is better.

Ages are in years and an error is predicted − true age: ``age_mae`` its mean size, ``age_bias`` its
mean, ``age_error_std``, ``age_error_median`` and ``age_error_p90`` the spread of its size (standard
deviation with ddof 0, median, 90th percentile), ``age_mae_bin_gap`` the MAE of the worst age bin
less that of the best.
"""

GROUP_METRICS: dict[str, Better] = {
    "age_mae": "lower",
    "age_bias": "zero",
    "gender_accuracy": "higher",
    "ethnicity_recall": "higher",
    "ethnicity_precision": "higher",
    "ethnicity_f1": "higher",
}
"""Metrics of each gender × ethnicity group, shape ``[..., genders · ethnicities]``, under ``group_<name>``.

Within a group everyone has the same true ethnicity, so its accuracy is that class's recall, and
precision and F1 are those of the class among all faces of the group's gender.
"""

QUANTILES = {"age_error_median": 0.5, "age_error_p90": 0.9}

_ABSOLUTE, _SQUARED, _SIGNED, _CLASSES = 0, 1, 2, 3


@dataclass(frozen=True)
class Scores:
    """One network's scores on the test set, as the KFP interface of evaluate shows them.

    Attributes:
        headline: Value of each of :data:`HEADLINES`, and the recall of each ethnicity.
        gender_confusion: Class names, and counts with the truth in rows.
        ethnicity_confusion: Class names, and counts with the truth in rows.
        run: Variant, seed and number of faces.
    """

    headline: dict[str, float]
    gender_confusion: tuple[list[str], list[list[int]]]
    ethnicity_confusion: tuple[list[str], list[list[int]]]
    run: dict[str, Any]


def score(predictions: Predictions) -> Scores:
    """Score one network on its test faces."""
    labels = predictions.labels
    metrics = point_metrics(predictions)
    headline = {name: float(metrics[name]) for name in HEADLINES}
    for name, recall in zip(labels.ethnicities, metrics["ethnicity_recall"], strict=True):
        if np.isfinite(recall):
            headline[f"ethnicity_recall_{name}"] = float(recall)
    return Scores(
        headline=headline,
        gender_confusion=(list(labels.genders), metrics["gender_confusion"].astype(int).tolist()),
        ethnicity_confusion=(list(labels.ethnicities), metrics["ethnicity_confusion"].astype(int).tolist()),
        run={"variant": predictions.variant, "seed": predictions.seed, "faces": len(predictions)},
    )


def point_metrics(predictions: Predictions) -> Metrics:
    """Return every metric of one network on its test faces.

    Returns:
        The metrics of :func:`metrics_from_sums`, and the quantiles of :data:`QUANTILES`.
    """
    labels = predictions.labels
    cells = predictions.cells()
    features = face_features(predictions)
    sums = np.zeros((labels.cell_count, features.shape[1]))
    np.add.at(sums, cells, features)
    metrics = metrics_from_sums(sums, np.bincount(cells, minlength=labels.cell_count).astype(float), labels)
    return metrics | error_quantiles(features[:, _ABSOLUTE], np.ones((1, len(cells))), squeeze=True)


def face_features(predictions: Predictions) -> Floats:
    """Return what is summed per cell, shape ``[faces, 3 + genders + ethnicities]``.

    The columns are the absolute error, the squared error and the error of the age in years, then
    the predicted gender and the predicted ethnicity, one-hot.
    """
    faces, labels = predictions.faces, predictions.labels
    error = faces["predicted_age"].to_numpy(np.float64) - faces["age"].to_numpy(np.float64)
    gender = np.eye(len(labels.genders))[faces["predicted_gender"].to_numpy()]
    ethnicity = np.eye(len(labels.ethnicities))[faces["predicted_ethnicity"].to_numpy()]
    return np.column_stack([np.abs(error), error**2, error, gender, ethnicity])


def metrics_from_sums(sums: Floats, counts: Floats, labels: Labels, *, groups: bool = True) -> Metrics:
    """Return every metric that is a function of sums per cell.

    Args:
        sums: Sums of :func:`face_features` over the faces of each cell, shape ``[..., cells, features]``.
        counts: Weight of the faces in each cell, shape ``[cells]``: how many faces were summed, or,
            for another population, the cell's share in it (then ``sums`` are weighted likewise).
        labels: Names of the classes; they give the shape of the cells.
        groups: Whether to add the metrics of each gender × ethnicity group.

    Returns:
        Shape ``[...]``: those of :data:`HEADLINES` without the quantiles. Shape ``[..., bins]``:
        ``age_mae_by_bin``, ``age_bias_by_bin``. Shape ``[..., classes]``: ``gender_recall``,
        ``ethnicity_recall``, ``ethnicity_precision``, ``ethnicity_f1``. Confusion counts, truth in
        rows: ``gender_confusion``, ``ethnicity_confusion`` ``[..., classes, classes]``; with
        ``groups`` also ``ethnicity_confusion_by_gender`` ``[..., genders, classes, classes]``,
        ``gender_confusion_by_ethnicity`` ``[..., ethnicities, classes, classes]`` and ``group_<name>``
        of :data:`GROUP_METRICS`.
    """
    shape = (len(labels.genders), len(labels.ethnicities), len(labels.age_bins))
    genders = slice(_CLASSES, _CLASSES + shape[0])
    ethnicities = slice(_CLASSES + shape[0], None)
    # Sums over cells as matrix products: several times faster than reductions over short axes.
    cells_of_group = np.repeat(np.eye(shape[0] * shape[1]), shape[2], axis=1)
    cells_of_bin = np.tile(np.eye(shape[2]), shape[0] * shape[1])
    by_group = np.matmul(cells_of_group, sums).reshape(*sums.shape[:-2], *shape[:2], sums.shape[-1])
    group_counts = (cells_of_group @ counts).reshape(shape[:2])
    by_bin = np.matmul(cells_of_bin, sums[..., :_CLASSES])
    gender_confusion = by_group[..., genders].sum(axis=-2)
    ethnicity_by_gender = by_group[..., ethnicities]
    metrics = _age_metrics(by_bin, cells_of_bin @ counts)
    metrics |= {
        "gender_confusion": gender_confusion,
        "gender_accuracy": _accuracy(gender_confusion),
        "gender_recall": _per_class(gender_confusion)["recall"],
    }
    ethnicity_confusion = ethnicity_by_gender.sum(axis=-3)
    per_class = _per_class(ethnicity_confusion)
    metrics |= {"ethnicity_confusion": ethnicity_confusion, "ethnicity_accuracy": _accuracy(ethnicity_confusion)}
    metrics |= {f"ethnicity_{name}": values for name, values in per_class.items()}
    metrics["ethnicity_macro_f1"] = macro_f1(ethnicity_confusion)
    if not groups:
        return metrics
    metrics["ethnicity_confusion_by_gender"] = ethnicity_by_gender
    metrics["gender_confusion_by_ethnicity"] = np.swapaxes(by_group[..., genders], -3, -2)
    correct_gender = np.diagonal(by_group[..., genders], axis1=-3, axis2=-1)  # [..., ethnicities, genders]
    grouped = {
        "age_mae": _ratio(by_group[..., _ABSOLUTE], group_counts),
        "age_bias": _ratio(by_group[..., _SIGNED], group_counts),
        "gender_accuracy": _ratio(np.swapaxes(correct_gender, -2, -1), group_counts),
    }
    grouped |= {f"ethnicity_{name}": values for name, values in _per_class(ethnicity_by_gender).items()}
    return metrics | {f"group_{name}": values.reshape(*values.shape[:-2], -1) for name, values in grouped.items()}


def macro_f1(confusion: Floats) -> Floats:
    """Return the macro F1 of confusion counts ``[..., classes, classes]`` with the truth in rows."""
    means: Floats = _per_class(confusion)["f1"].mean(axis=-1)
    return means


def error_quantiles(errors: Floats, weights: npt.NDArray[np.number], *, squeeze: bool = False) -> Metrics:
    """Return the quantiles of :data:`QUANTILES` of the age errors under many weightings.

    A quantile is the smallest error at which the cumulated weight reaches its share: numpy's
    ``inverted_cdf``, the only definition with whole and fractional weights alike.

    Args:
        errors: Absolute errors, shape ``[faces]``.
        weights: How often each face counts, shape ``[resamples, faces]``.
        squeeze: Whether to drop the axis of resamples, when there is one.

    Returns:
        One array of shape ``[resamples]`` per quantile.
    """
    order = np.argsort(errors, kind="stable")
    cumulated = np.cumsum(np.take(weights, order, axis=1), axis=1, dtype=np.float64)
    totals = cumulated[:, -1]
    found = {}
    for name, share in QUANTILES.items():
        # The slack is for shares whose sum misses the quantile by rounding alone.
        threshold = share * totals * (1 - 1e-12)
        values = errors[order][np.count_nonzero(cumulated < threshold[:, None], axis=1)]
        found[name] = values[0] if squeeze else values
    return found


def worst_and_gap(values: Floats, better: Better) -> tuple[Floats, Floats]:
    """Return the worst group's value and the distance between the highest and the lowest.

    Args:
        values: A metric of every group, shape ``[..., groups]``; groups without faces are NaN.
        better: Which way the metric is better.

    Returns:
        The worst value and the gap, each of shape ``[...]``.
    """
    badness = badness_of(values, better)
    place = np.nanargmax(np.where(np.isnan(badness), -np.inf, badness), axis=-1)
    worst = np.take_along_axis(values, place[..., None], axis=-1)[..., 0]
    return worst, np.nanmax(values, axis=-1) - np.nanmin(values, axis=-1)


def badness_of(values: Floats, better: Better) -> Floats:
    """Return the values on a scale where larger is worse."""
    return {"lower": values, "higher": -values, "zero": np.abs(values)}[better]


def _age_metrics(by_bin: Floats, counts: Floats) -> Metrics:
    """Age metrics of sums ``[..., bins, 3]`` and the weight of each bin ``[bins]``."""
    totals = by_bin.sum(axis=-2) / counts.sum()
    mae = totals[..., _ABSOLUTE]
    means = _ratio(by_bin, counts[:, None])
    mae_by_bin = means[..., _ABSOLUTE]
    return {
        "age_mae": mae,
        "age_bias": totals[..., _SIGNED],
        # The square of the absolute error is the square of the error. Rounding may leave a tiny negative.
        "age_error_std": np.sqrt(np.maximum(totals[..., _SQUARED] - mae**2, 0)),
        "age_mae_by_bin": mae_by_bin,
        "age_bias_by_bin": means[..., _SIGNED],
        "age_mae_bin_gap": np.nanmax(mae_by_bin, axis=-1) - np.nanmin(mae_by_bin, axis=-1),
    }


def _accuracy(confusion: Floats) -> Floats:
    shares: Floats = np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))
    return shares


def _per_class(confusion: Floats) -> Metrics:
    """Recall, precision and F1 of each class, shape ``[..., classes]``."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    present, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return {
        "recall": _ratio(hits, present),
        "precision": _ratio(hits, predicted, empty=0.0),
        "f1": _ratio(2 * hits, present + predicted, empty=0.0),
    }


def _ratio(numerator: Floats, denominator: Floats, empty: float = np.nan) -> Floats:
    """Divide; where the denominator is zero the result is ``empty``."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    ratios: Floats = np.divide(numerator, denominator, out=np.full(shape, empty), where=denominator > 0)
    return ratios
