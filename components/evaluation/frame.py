"""Metric frames: every metric of one network, overall and by group, as functions of weighted sums per cell.

A test face belongs to one gender × ethnicity × age-bin cell, and each metric here (quantiles aside)
depends on the faces only through a few sums per cell: of the errors, of the squared errors, and of
how often each class was predicted. Computing metrics from these sums lets one call score one test
set, thousands of bootstrap resamples or another population alike: leading axes are carried along.

Conventions, those of scikit-learn with ``zero_division=0``: precision of a class that is never
predicted and F1 of a class that is neither present nor predicted are 0. Recall or a mean over no faces is
NaN, which :mod:`components.compare` writes as null.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from components.dataset.labels import Labels
from components.dataset.outputs import Kind, Output
from components.evaluation.catalogue import CATALOGUE, GROUP_COLUMNS, GROUPED, switched_on
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]
Metrics = Mapping[str, Floats]

QUANTILES = {"error_median": 0.5, "error_p90": 0.9}
"""Quantiles of the size of a regression's error, by the end of their metric's name."""

_ABSOLUTE, _SQUARED, _SIGNED = 0, 1, 2

_RUN = 64
"""Faces of similar error whose weights are added up at once in the search for a quantile."""


@dataclass(frozen=True)
class MetricFrame:
    """Every metric of one network, for one weighting of its test faces or for many.

    The leading axes ``[...]`` of every array are those of the weightings.

    Attributes:
        overall: By the metrics of :data:`~components.evaluation.catalogue.CATALOGUE`, shape ``[...]``, or
            ``[..., names]`` for one with a value per class or age bin.
        by_group: By the metrics of :data:`~components.evaluation.catalogue.GROUPED`, shape
            ``[..., genders · ethnicities]``; NaN for a group without faces.
        confusion: By classified output, counts with the truth in rows, shape ``[..., classes, classes]``.
        confusion_by: By pair of an output and the other group column, the counts within each of that
            column's classes, shape ``[..., names, classes, classes]``.
        natural: ``overall`` in the natural population, if requested.
    """

    overall: Metrics
    by_group: Metrics = field(default_factory=dict)
    confusion: Metrics = field(default_factory=dict)
    confusion_by: Mapping[tuple[str, str], Floats] = field(default_factory=dict)
    natural: Metrics = field(default_factory=dict)

    def worst_group(self, metric: str) -> Floats:
        """Return the metric's value in its worst group, shape ``[...]``."""
        values = self.by_group[metric]
        badness = CATALOGUE[metric].better.badness(values)
        place = np.nanargmax(np.where(np.isnan(badness), -np.inf, badness), axis=-1)
        return np.take_along_axis(values, place[..., None], axis=-1)[..., 0]

    def group_gap(self, metric: str) -> Floats:
        """Return the difference between a metric's highest and lowest group, shape ``[...]``."""
        values = self.by_group[metric]
        gap: Floats = np.nanmax(values, axis=-1) - np.nanmin(values, axis=-1)
        return gap

    def at(self, place: int | tuple[int, ...]) -> "MetricFrame":
        """Return the frame of one of the weightings."""
        parts = vars(self).items()
        return MetricFrame(**{part: {key: array[place] for key, array in arrays.items()} for part, arrays in parts})

    @classmethod
    def joined(cls, frames: Iterable["MetricFrame"]) -> "MetricFrame":
        """Return the frame of all weightings from frames of consecutive ones."""
        parts = [vars(frame) for frame in frames]
        return cls(
            **{
                part: {key: np.concatenate([blocks[part][key] for blocks in parts]) for key in arrays}
                for part, arrays in parts[0].items()
            }
        )

    def without_confusions(self) -> "MetricFrame":
        """Return the frame without its counts, which are its largest arrays."""
        return replace(self, confusion={}, confusion_by={})


def score(predictions: Predictions) -> MetricFrame:
    """Return every metric of one network on its test faces."""
    labels = predictions.labels
    cells = predictions.cells()
    features = face_features(predictions)
    sums = np.stack([np.bincount(cells, column, labels.cell_count) for column in features.T], axis=-1, dtype=np.float64)
    counts = np.bincount(cells, minlength=labels.cell_count).astype(np.float64)
    [quantiles] = ErrorQuantiles(features, labels).of(np.ones((1, len(cells))), [np.ones(len(cells))])
    return frame_from_sums(sums[None], counts, labels, quantiles).at(0)


def _columns(labels: Labels) -> dict[str, slice]:
    """The place of each output's columns among the features."""
    places, start = {}, 0
    for output in labels.outputs.values():
        width = _width(output, labels)
        places[output.name] = slice(start, start + width)
        start += width
    return places


def _width(output: Output, labels: Labels) -> int:
    if output.kind is Kind.REGRESSION:
        return 3
    classes = len(labels.names(output.name))
    # If an output defines the cells, a cell has a single true class; otherwise that must be counted too.
    return classes if output.name in GROUP_COLUMNS else classes**2


def face_features(predictions: Predictions) -> Floats:
    """Return what is summed per cell, shape ``[faces, features]``.

    A regression has three columns: the size of its error, the square of the error, and the error itself. A
    classified output has its predicted class, one-hot; or, where cells do not tell the true class, the pair
    of true and predicted class, one-hot.
    """
    faces, labels = predictions.faces, predictions.labels
    parts = []
    for output in labels.outputs.values():
        if output.kind is Kind.REGRESSION:
            error = predictions.errors(output)
            parts.append(np.column_stack([np.abs(error), error**2, error]))
            continue
        code = faces[output.predicted].to_numpy(np.int64)
        if output.name not in GROUP_COLUMNS:
            code = code + len(labels.names(output.name)) * faces[output.name].to_numpy(np.int64)
        parts.append(np.eye(_width(output, labels))[code])
    return np.concatenate(parts, axis=1)


def frame_from_sums(sums: Floats, counts: Floats, labels: Labels, quantiles: Metrics) -> MetricFrame:
    """Return every metric, from sums per cell.

    Args:
        sums: Sums of :func:`face_features` over the faces of each cell, shape ``[..., cells, features]``.
        counts: Weight of the faces in each cell, shape ``[cells]``: how many faces were summed, or,
            for another population, the cell's share in it (then ``sums`` are weighted likewise).
        labels: Class and age-bin names, which give the shape of the cells.
        quantiles: From :class:`ErrorQuantiles`: the metrics that are not functions of sums.
    """
    *group_shape, bins = labels.cell_shape
    group_count = math.prod(group_shape)
    # Sums over cells as matrix products: several times faster than reductions over short axes.
    cells_of_group = np.repeat(np.eye(group_count), bins, axis=1)
    cells_of_bin = np.tile(np.eye(bins), group_count)
    sums_of_group = np.matmul(cells_of_group, sums).reshape(*sums.shape[:-2], *group_shape, sums.shape[-1])
    group_counts = (cells_of_group @ counts).reshape(group_shape)
    overall: dict[str, Floats] = dict(quantiles)
    by_group: dict[str, Floats] = {}
    confusion: dict[str, Floats] = {}
    confusion_by: dict[tuple[str, str], Floats] = {}
    for name, columns in _columns(labels).items():
        own = sums_of_group[..., columns]
        if name not in labels.classified:
            overall |= _error_metrics(name, np.matmul(cells_of_bin, sums[..., columns]), cells_of_bin @ counts)
            by_group[f"{name}_mae"] = _ratio(own[..., _ABSOLUTE], group_counts)
            by_group[f"{name}_bias"] = _ratio(own[..., _SIGNED], group_counts)
            continue
        if name in GROUP_COLUMNS:
            confusion[name], within, by_group_of = _true_by_group(own, GROUP_COLUMNS.index(name))
            other = GROUP_COLUMNS[1 - GROUP_COLUMNS.index(name)]
            if other in labels.outputs:
                confusion_by[name, other] = within
            by_group |= {f"{name}_{end}": by_group_of(values) for end, values in _per_class(within).items()}
            right = by_group_of(np.diagonal(within, axis1=-2, axis2=-1))
        else:
            classes = len(labels.names(name))
            pairs = own.reshape(*own.shape[:-1], classes, classes)
            confusion[name] = pairs.sum(axis=(-4, -3))
            right = np.trace(pairs, axis1=-2, axis2=-1)
        by_group[f"{name}_accuracy"] = _ratio(right, group_counts)
        overall |= _class_metrics(name, confusion[name])
    grouped, known = switched_on(GROUPED, labels), switched_on(CATALOGUE, labels)
    flat = {name: by_group[name].reshape(*sums.shape[:-2], group_count) for name in grouped}
    return MetricFrame({name: overall[name] for name in known}, flat, confusion, confusion_by)


def _true_by_group(own: Floats, place: int) -> tuple[Floats, Floats, Callable[[Floats], Floats]]:
    """Split the predictions in each group, shape ``[..., first, second, classes]``, of the group's ``place``-th column.

    Returns:
        The confusion counts over all groups; those within each class of the other column, shape
        ``[..., other, classes, classes]``; and what turns ``[..., other, classes]`` into the groups' order.
    """
    if place == 1:
        return own.sum(axis=-3), own, lambda values: values
    return own.sum(axis=-2), np.swapaxes(own, -3, -2), lambda values: np.swapaxes(values, -2, -1)


class ErrorQuantiles:
    """The quantiles of :data:`QUANTILES` of the size of each regression's error, under many weightings of the faces.

    A quantile is the smallest error at which the cumulative weight reaches its share: numpy's
    ``inverted_cdf``, the only definition that takes whole and fractional weights.

    Args:
        features: From :func:`face_features`, shape ``[faces, features]``.
        labels: Class names, which give the position of each output's features.
    """

    def __init__(self, features: Floats, labels: Labels) -> None:
        regressions = {name: columns for name, columns in _columns(labels).items() if name not in labels.classified}
        self._sizes = {name: features[:, columns][:, _ABSOLUTE] for name, columns in regressions.items()}
        self._orders = {name: np.argsort(sizes, kind="stable") for name, sizes in self._sizes.items()}

    def of(self, counts: npt.NDArray[np.number], worths: Sequence[Floats]) -> list[Metrics]:
        """Return the quantiles for each worth, each of shape ``[weightings]``.

        Args:
            counts: How often each face is drawn, shape ``[weightings, faces]``.
            worths: What one draw of each face counts, shape ``[faces]`` each.
        """
        found: list[dict[str, Floats]] = [{} for _ in worths]
        for name, order in self._orders.items():
            # Filled up to whole runs with a face that counts nothing there.
            filling = np.zeros(-len(order) % _RUN)
            filled = np.append(order, filling.astype(np.int64))
            runs = np.take(counts, filled, axis=1).reshape(len(counts), -1, _RUN)
            for worth, quantiles in zip(worths, found, strict=True):
                ranks = _quantile_ranks(runs, np.append(worth[order], filling).reshape(-1, _RUN))
                reached = self._sizes[name][filled[ranks]]
                quantiles |= {f"{name}_{end}": reached[:, place] for place, end in enumerate(QUANTILES)}
        return [*found]


def _quantile_ranks(runs: npt.NDArray[np.number], worths: Floats) -> npt.NDArray[np.int64]:
    """Return the rank of the face at which the cumulative weight reaches each quantile, ``[weightings, quantiles]``.

    Cumulating run by run first and then within the one that reaches it takes a tenth of the time.

    Args:
        runs: How often each face is drawn, by ascending error, shape ``[weightings, runs, _RUN]``.
        worths: What one draw of it counts, shape ``[runs, _RUN]``.
    """
    ends = np.cumsum(np.einsum("wrf,rf->wr", runs, worths), axis=1)
    # The slack allows for sums of shares that miss the quantile only through rounding.
    thresholds = ends[:, -1:] * (1 - 1e-12) * list(QUANTILES.values())
    reaching = np.count_nonzero(ends[:, None] < thresholds[..., None], axis=-1)
    starts = np.take_along_axis(np.pad(ends, ((0, 0), (1, 0))), reaching, axis=1)
    weights = np.take_along_axis(runs, reaching[..., None], axis=1) * worths[reaching]
    cumulated = starts[..., None] + np.cumsum(weights, axis=-1)
    ranks: npt.NDArray[np.int64] = reaching * _RUN + np.count_nonzero(cumulated < thresholds[..., None], axis=-1)
    return ranks


def class_f1(hits: Floats, present: Floats, predicted: Floats) -> Floats:
    """Return the F1 of each class from how many of its faces are recognised, exist, and are predicted."""
    return _ratio(2 * hits, present + predicted, empty=0.0)


def _error_metrics(name: str, sums_of_bin: Floats, counts: Floats) -> Metrics:
    """Metrics of a regression, from sums ``[..., bins, 3]`` and the weight of each bin ``[bins]``."""
    totals = sums_of_bin.sum(axis=-2) / counts.sum()
    mae = totals[..., _ABSOLUTE]
    means = _ratio(sums_of_bin, counts[:, None])
    mae_by_bin = means[..., _ABSOLUTE]
    return {
        f"{name}_mae": mae,
        f"{name}_bias": totals[..., _SIGNED],
        # The square of the absolute error is the square of the error. Rounding may leave a tiny negative.
        f"{name}_error_std": np.sqrt(np.maximum(totals[..., _SQUARED] - mae**2, 0)),
        f"{name}_mae_by_bin": mae_by_bin,
        f"{name}_bias_by_bin": means[..., _SIGNED],
        f"{name}_mae_bin_gap": np.nanmax(mae_by_bin, axis=-1) - np.nanmin(mae_by_bin, axis=-1),
    }


def _class_metrics(name: str, confusion: Floats) -> Metrics:
    """Metrics of a classified output, from its confusion counts."""
    accuracy: Floats = np.trace(confusion, axis1=-2, axis2=-1) / confusion.sum(axis=(-2, -1))
    per_class = {f"{name}_{end}": values for end, values in _per_class(confusion).items()}
    return {f"{name}_accuracy": accuracy, f"{name}_macro_f1": per_class[f"{name}_f1"].mean(axis=-1), **per_class}


def _per_class(confusion: Floats) -> dict[str, Floats]:
    """Recall, precision and F1 of each class, shape ``[..., classes]``."""
    hits = np.diagonal(confusion, axis1=-2, axis2=-1)
    present, predicted = confusion.sum(axis=-1), confusion.sum(axis=-2)
    return {
        "recall": _ratio(hits, present),
        "precision": _ratio(hits, predicted, empty=0.0),
        "f1": class_f1(hits, present, predicted),
    }


def _ratio(numerator: Floats, denominator: Floats, empty: float = np.nan) -> Floats:
    """Divide; where the denominator is zero the result is ``empty``."""
    shape = np.broadcast_shapes(numerator.shape, denominator.shape)
    ratios: Floats = np.divide(numerator, denominator, out=np.full(shape, empty), where=denominator > 0)
    return ratios
