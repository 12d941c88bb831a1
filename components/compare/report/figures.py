"""The charts of each section of the report."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from components.compare.report.charts.canvas import Drawing
from components.compare.report.charts.data import age_histogram, class_counts, log_age_histogram
from components.compare.report.charts.quality import class_bars, error_boxes, error_by_age_bin, forest
from components.compare.report.charts.training import training_curve
from components.compare.report.formats import is_number
from components.compare.report.rows import Row, age_rivals
from components.evaluation.predictions import Predictions

Histories = Mapping[tuple[str, int], pd.DataFrame]

_CURVES = {
    "loss": "Loss",
    "age_mae": "Age MAE, in the network's unit",
    "gender_accuracy": "Gender accuracy",
    "ethnicity_macro_f1": "Ethnicity macro F1",
}


def class_figures(rows: Sequence[Row], classes: Sequence[str]) -> list[Drawing]:
    """Draw the F1 of each class."""
    return [class_bars(rows, "ethnicity_f1", name, f"f1-{place}") for place, name in enumerate(classes)]


def age_figures(
    rows: Sequence[Row], bins: Sequence[str], reference: str, predictions: Iterable[Predictions]
) -> dict[str, Any]:
    """Draw the age errors of the reference and of its best rival.

    Returns:
        ``reference`` and ``rival`` (rows, or None), ``better`` (whether the rival's MAE is lower),
        ``by_bin`` and ``boxes`` (charts, or None).
    """
    rivals = age_rivals(rows, reference)
    ours, theirs = (_age_mae(row) for row in rivals)
    by_variant: dict[str, list[Predictions]] = {}
    for each in predictions:
        by_variant.setdefault(each.variant, []).append(each)
    errors = [(row.title, _errors(by_variant[row.name], len(bins))) for row in rivals if row and row.name in by_variant]
    trained = [row for row in rows if not row.posthoc]
    return {
        "reference": rivals[0],
        "rival": rivals[1],
        "better": theirs < ours,
        "by_bin": error_by_age_bin(trained, bins, rivals, "age-bins") if bins and any(rivals) else None,
        "boxes": error_boxes(errors, bins, "age-errors") if errors else None,
    }


def difference_figures(rows: Sequence[Row], tests: Mapping[str, Sequence[Mapping[str, Any]]]) -> list[Drawing]:
    """Draw the paired differences to the reference, a chart per metric."""
    titles = {row.name: row.title for row in rows if not row.posthoc}
    labels = {row.name: f"{titles.get(row.facts.get('derived_from', row.name), row.name)[:22]}" for row in rows}
    labels = {row.name: f"{labels[row.name]}, adj." if row.posthoc else row.label for row in rows}
    return [forest(found, labels, metric, f"forest-{place}") for place, (metric, found) in enumerate(tests.items())]


def data_figures(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[Drawing]:
    """Draw the faces before and after preprocessing; no chart where nothing was counted."""
    figures = [
        class_counts(before[kind], after[kind], kind.capitalize(), f"data-{kind}")
        for kind in ("gender", "ethnicity")
        if before.get(kind) and after.get(kind)
    ]
    if before.get("age") and after.get("age"):
        figures += [
            age_histogram(before["age"], after["age"], "data-age"),
            log_age_histogram(before["age"], after["age"], "data-log-age"),
        ]
    return figures


def training_figures(rows: Sequence[Row], histories: Histories) -> list[tuple[Row, list[Drawing]]]:
    """Draw the training curves of each trained variant.

    Metrics have one scale for all variants, so that they can be compared; losses are of different
    formulas and have each their own.
    """
    limits = {column: _limits(histories.values(), column) for column in _CURVES if column != "loss"}
    figures = []
    for place, row in enumerate(rows):
        found = {seed: history for (variant, seed), history in histories.items() if variant == row.name}
        best = {seed: row.facts.get("best_epoch", {}).get(str(seed)) for seed in found}
        drawn = [
            training_curve(found, column, title, best, f"training-{place}-{index}", limits.get(column))
            for index, (column, title) in enumerate(_CURVES.items())
            if any(column in history for history in found.values())
        ]
        if drawn:
            figures.append((row, drawn))
    return figures


def _age_mae(row: Row | None) -> float:
    value = row.headline("age_mae").get("value") if row else None
    return float(value) if is_number(value) else math.nan


def _errors(predictions: Iterable[Predictions], bins: int) -> list[np.ndarray]:
    """Signed errors (years) of the faces in each age bin, those of all seeds together."""
    faces = pd.concat([each.faces[["age", "age_bin", "predicted_age"]] for each in predictions])
    errors = faces["predicted_age"].to_numpy(np.float64) - faces["age"].to_numpy(np.float64)
    places = faces["age_bin"].to_numpy()
    return [errors[places == place] for place in range(bins)]


def _limits(histories: Iterable[pd.DataFrame], column: str) -> tuple[float, float] | None:
    """Range that shows a column of all histories, with a margin."""
    values = [
        history[name].to_numpy(np.float64)
        for history in histories
        for name in (column, f"val_{column}")
        if name in history
    ]
    known = np.concatenate(values) if values else np.array([])
    known = known[np.isfinite(known)]
    if not len(known):
        return None
    low, high = float(known.min()), float(known.max())
    margin = 0.05 * (high - low) or 0.05
    return low - margin, high + margin
