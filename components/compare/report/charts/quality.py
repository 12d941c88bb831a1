"""Charts of how good the variants are."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from components.compare.report.charts.canvas import (
    ACCENT,
    GAIN,
    INK,
    LOSS,
    MUTED,
    OTHER,
    PAPER,
    REFERENCE,
    Drawing,
    draw,
)
from components.compare.report.formats import decimal, decimals, is_number, metric_name
from components.compare.report.rows import Row

ROLE_COLOURS = {"reference": REFERENCE, "recommended": ACCENT, "other": OTHER}

_BAR_HEIGHT = 21
_FRAME_HEIGHT = 34

Floats = npt.NDArray[np.float64]


def class_bars(rows: Sequence[Row], metric: str, name: str, key: str) -> Drawing:
    """Draw one class's metric of every row as bars with intervals, from 0 to 1.

    Args:
        rows: From top to bottom.
        metric: Metric with one value per class, such as ``ethnicity_f1``.
        name: Name of the class.
        key: Unique in the page.
    """
    intervals = [row.interval(metric, name) for row in rows]
    values = [each.get("value") for each in intervals]

    def paint(axes: Axes) -> None:
        places = range(len(rows))
        axes.barh(places, [value or 0 for value in values], height=0.72, color=[ROLE_COLOURS[row.role] for row in rows])
        for place, interval in zip(places, intervals, strict=True):
            if is_number(interval.get("low")) and is_number(interval.get("high")):
                axes.plot([interval["low"], interval["high"]], [place, place], color=INK, linewidth=1.1)
            axes.text(1.03, place, decimal(interval.get("value"), 2), va="center", fontsize=10.5)
        axes.set_yticks(places, [row.label for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1.16)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".50", ".75", "1"])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    described = "; ".join(f"{row.title} {decimal(value, 2)}" for row, value in zip(rows, values, strict=True))
    title = f"{metric_name(metric)}, {name}"
    return draw(paint, key, title, f"{described}.", 440, _FRAME_HEIGHT + _BAR_HEIGHT * len(rows))


def error_by_age_bin(
    rows: Sequence[Row], names: Sequence[str], rivals: tuple[Row | None, Row | None], key: str
) -> Drawing:
    """Draw the age MAE per age bin: every variant, with the reference and its best rival on top with intervals.

    Args:
        rows: Trained variants.
        names: Names of the age bins.
        rivals: The reference and the rival; either may be None.
        key: Unique in the page.
    """
    chosen = [(row, colour) for row, colour in zip(rivals, (REFERENCE, ACCENT), strict=True) if row]
    highlighted = [row for row, _ in chosen]

    def paint(axes: Axes) -> None:
        places = np.arange(len(names))
        for row in rows:
            if row not in highlighted:
                axes.plot(places, _values(row, names), color=OTHER, linewidth=1.1)
        for shift, (row, colour) in zip((-0.05, 0.05), chosen, strict=False):
            intervals = [row.interval("age_mae_by_bin", name) for name in names]
            ends = np.array([[_nan(each.get(end)) for each in intervals] for end in ("low", "high")])
            axes.vlines(places + shift, *ends, color=colour, linewidth=1.4)
            marker = "s" if colour == REFERENCE else "o"
            axes.plot(places + shift, _values(row, names), color=colour, marker=marker, linewidth=2.2)
        axes.set_xticks(places, names)
        axes.set_ylim(bottom=0)
        axes.set_xlabel("True age, years")
        axes.set_ylabel("MAE, years")
        axes.grid(axis="y")

    described = "; ".join(f"{row.title}: {_listed(names, _values(row, names))}" for row in highlighted)
    return draw(paint, key, "Age MAE per age bin", f"{described}.", 640, 320)


def error_boxes(errors: Sequence[tuple[str, Sequence[Floats]]], names: Sequence[str], key: str) -> Drawing:
    """Draw the distribution of the signed age error within each age bin.

    Args:
        errors: For one or two networks the name, and the errors (years) of each age bin.
        names: Names of the age bins.
        key: Unique in the page.
    """
    colours = (REFERENCE, ACCENT)
    width = 0.7 / len(errors)

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=0.9)
        for place, (_, bins) in enumerate(errors):
            shift = (place - (len(errors) - 1) / 2) * (width + 0.04)
            line = {"color": colours[place], "linewidth": 1.2}
            kept = [index for index, values in enumerate(bins) if len(values)]
            if not kept:
                continue
            axes.boxplot(
                [bins[index] for index in kept],
                positions=[index + shift for index in kept],
                widths=width,
                whis=(5, 95),
                showfliers=False,
                patch_artist=True,
                manage_ticks=False,
                boxprops={"facecolor": colours[place], "edgecolor": colours[place], "alpha": 0.85},
                medianprops={"color": PAPER, "linewidth": 1.8},
                whiskerprops=line,
                capprops=line,
            )
        axes.set_xticks(range(len(names)), names)
        axes.set_xlabel("True age, years")
        axes.set_ylabel("Predicted − true age, years")
        axes.grid(axis="y")

    described = "; ".join(
        f"{title}: median error {_listed(names, [float(np.median(one)) if len(one) else math.nan for one in bins])}"
        for title, bins in errors
    )
    return draw(paint, key, "Age error against true age", f"{described}.", 640, 330)


def forest(tests: Sequence[Mapping[str, Any]], labels: Mapping[str, str], metric: str, key: str) -> Drawing:
    """Draw the paired differences to the reference in one metric, with their intervals.

    Args:
        tests: Tests of the metric, from top to bottom.
        labels: Name of each row in the chart.
        metric: Name of the metric.
        key: Unique in the page.
    """
    lower = bool(tests) and tests[0].get("better") == "lower"

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=0.9)
        for place, test in enumerate(tests):
            colour = {"better": GAIN, "worse": LOSS}.get(str(test.get("verdict")), REFERENCE)
            if is_number(test.get("low")) and is_number(test.get("high")):
                axes.plot([test["low"], test["high"]], [place, place], color=colour, linewidth=2)
            if is_number(test.get("difference")):
                face = colour if test.get("significant") else PAPER
                axes.plot(test["difference"], place, marker="o", markersize=7, color=colour, markerfacecolor=face)
        axes.set_yticks(range(len(tests)), [labels.get(str(test["a"]), str(test["a"])) for test in tests])
        axes.set_ylim(len(tests) - 0.4, -0.6)
        ends = [abs(test[end]) for test in tests for end in ("low", "high") if is_number(test.get(end))]
        widest = 1.1 * max(ends, default=0) or 1
        axes.set_xlim(-widest, widest)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("better ← difference → worse" if lower else "worse ← difference → better")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    places = decimals(metric)
    described = "; ".join(
        f"{test['a']} {decimal(test.get('difference'), places, signed=True)}, {test.get('verdict', '')}"
        for test in tests
    )
    title = f"{metric_name(metric)}: difference to the reference"
    return draw(paint, key, title, f"{described}.", 440, _FRAME_HEIGHT + 20 + 26 * len(tests))


def _values(row: Row, names: Sequence[str]) -> list[float]:
    return [_nan(row.interval("age_mae_by_bin", name).get("value")) for name in names]


def _nan(value: Any) -> float:
    return float(value) if is_number(value) else math.nan


def _listed(names: Sequence[str], values: Sequence[float]) -> str:
    """Return values in years with the name of each, for a description."""
    return ", ".join(f"{name} {decimal(value, 1)}" for name, value in zip(names, values, strict=True))
