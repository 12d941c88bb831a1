"""Charts of how the variants trained."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes

from components.compare.report.charts.canvas import DROPPED, KEPT, MUTED, Drawing, draw
from components.compare.report.formats import decimal
from components.compare.report.report_rows import ReportRow
from components.evaluation.catalogue import MAIN

_SCALES = {"log_age": "log scale", "years": "share of the highest age"}
"""What the ages of a training history are measured on, by the target of the age head."""

Limits = tuple[float, float]


def training_charts(trained: Sequence[ReportRow], age_target: str) -> list[tuple[ReportRow, list[Drawing]]]:
    """Draw the training curves of each trained variant.

    Metrics share one scale across variants, so that they can be compared; losses follow different
    formulas and each has its own scale.
    """
    there = {column for row in trained for history in row.facts.history.values() for column in history}
    titles = {"loss": "Loss"}
    titles |= {
        name: metric.title + (f", {_SCALES[age_target]}" if metric.is_age else "")
        for name, metric in MAIN.items()
        if name in there
    }
    limits = {column: None if column == "loss" else _limits(trained, column) for column in titles}

    def curves(row: ReportRow, key: str) -> list[Drawing]:
        return [
            _curve(row, column, title, f"{key}-{place}", limits[column])
            for place, (column, title) in enumerate(titles.items())
        ]

    return [(row, curves(row, f"training-{place}")) for place, row in enumerate(trained)]


def _curve(row: ReportRow, column: str, title: str, key: str, limits: Limits | None) -> Drawing:
    """Draw one column of the training history, on training and validation faces, a line per seed."""

    def paint(axes: Axes) -> None:
        for seed, history in row.facts.history.items():
            axes.axvline(row.facts.best_epoch[seed], color=MUTED, linewidth=1, linestyle=(0, (2, 2)))
            epochs = np.array(history["epoch"], np.float64)
            marker = "o" if len(epochs) == 1 else None
            for name, colour, width in ((column, DROPPED, 1.4), (f"val_{column}", KEPT, 1.9)):
                axes.plot(epochs, np.array(history[name], np.float64), color=colour, linewidth=width, marker=marker)
        axes.set_title(title, fontsize=11, loc="left")
        axes.locator_params(axis="x", integer=True, nbins=5)
        axes.locator_params(axis="y", nbins=5)
        axes.set_xlabel("Epoch")
        if limits:
            axes.set_ylim(*limits)
        axes.grid(axis="y")

    facts = [
        f"seed {seed}: from {decimal(known[0])} to {decimal(known[-1])} on validation faces, "
        f"epoch {row.facts.best_epoch[seed]} kept"
        for seed, history in row.facts.history.items()
        if (known := [value for value in history[f"val_{column}"] if value is not None])
    ]
    return draw(paint, key, f"{title} over the epochs", facts, 250, 190)


def _limits(trained: Sequence[ReportRow], column: str) -> Limits | None:
    """Range that shows a column of every history, with a margin; None where it has no values."""
    known = [
        value
        for row in trained
        for history in row.facts.history.values()
        for name in (column, f"val_{column}")
        for value in history[name]
        if value is not None
    ]
    if not known:
        return None
    margin = 0.05 * (max(known) - min(known)) or 0.05
    return min(known) - margin, max(known) + margin
