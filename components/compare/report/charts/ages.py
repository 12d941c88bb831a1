"""Charts of the age errors."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from components.compare.contract import Interval, Number
from components.compare.report.charts.canvas import (
    ACCENT,
    INK,
    MUTED,
    OTHER,
    PAPER,
    REFERENCE,
    Drawing,
    draw,
    name_places,
)
from components.compare.report.formats import decimal
from components.compare.report.report_rows import ReportRow
from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS
from components.evaluation.catalogue import MAIN, NAMED, SCALARS

_MAE = next(metric for metric in MAIN.values() if not OUTPUTS[metric.output].is_classified)

MAE_BY_BIN = NAMED[f"{_MAE.name}_by_bin"]
_BIAS_BY_BIN = NAMED[f"{_MAE.output}_bias_by_bin"]
_VARIABLES = {REFERENCE: "reference", ACCENT: "accent", INK: "ink"}

SPREAD = [metric for metric in SCALARS.values() if metric.output == _MAE.output and not metric.is_main]
"""Metrics of the spread of the errors."""


@dataclass(frozen=True)
class AgeCharts:
    """The age errors of the reference, the recommended network and the best; ``legend`` has colour and text of each.

    ``by_bin`` has the mean absolute errors, with those of every other variant behind them, ``bias`` the mean signed
    errors, and ``boxes`` the distribution of the signed errors.
    """

    legend: list[tuple[str, str]]
    by_bin: Drawing
    bias: Drawing
    boxes: Drawing


def age_charts(trained: Sequence[ReportRow], reference: str, chosen: str | None, labels: Labels) -> AgeCharts:
    """Draw the age errors of the trained variants; ``chosen`` is the one whose networks are recommended."""
    by_name = {row.name: row for row in trained}
    ours, best = by_name.get(reference), min(trained, key=_mae)
    rival = min((row for row in trained if row is not ours), key=_mae, default=None)
    ships = by_name.get(chosen or "")
    highlighted: dict[str, ReportRow] = {}
    if ours:
        highlighted[REFERENCE] = ours
    if ships and ships is not ours:
        highlighted[ACCENT] = ships
    if rival and rival is not ships:
        highlighted[INK] = rival
    lowest = f"lowest {_MAE.phrase}{'' if best is rival else ' of the others'}"
    words = {REFERENCE: "reference", ACCENT: "recommended networks", INK: lowest}
    if rival and rival is ships:
        words[ACCENT] += f", {lowest}"
    legend = [(_VARIABLES[colour], f"{row.title} ({words[colour]})") for colour, row in highlighted.items()]
    return AgeCharts(
        legend,
        _error_by_bin(trained, highlighted, labels),
        _bias(highlighted, labels),
        _error_boxes(highlighted, labels),
    )


def _error_by_bin(trained: Sequence[ReportRow], highlighted: Mapping[str, ReportRow], labels: Labels) -> Drawing:
    """Draw the mean absolute error per age bin; those of ``highlighted``, by colour, on top and with intervals."""
    by_row = {row.name: row.facts.intervals[MAE_BY_BIN.name] for row in trained}

    def paint(axes: Axes) -> None:
        places = np.arange(len(labels.age_bins))
        for row in trained:
            if row not in highlighted.values():
                values, _, _ = _ends(by_row[row.name].values())
                axes.plot(places, values, color=OTHER, linewidth=1.1)
        _lines(axes, places, {colour: by_row[row.name] for colour, row in highlighted.items()})
        name_places(axes, labels.age_bins)
        axes.set_ylim(bottom=0)
        axes.set_xlabel(f"True age, {labels.age_unit}")
        axes.set_ylabel(f"MAE, {labels.age_unit}")
        axes.grid(axis="y")

    facts = [
        f"{row.title}: {_listed({name: interval.value for name, interval in by_row[row.name].items()})}"
        for row in highlighted.values()
    ]
    return draw(paint, "age-bins", f"{_MAE.title} per age bin", facts, 440, 300)


def _lines(axes: Axes, places: npt.NDArray[np.integer], intervals: Mapping[str, Mapping[str, Interval]]) -> None:
    """Draw a line with intervals per colour, side by side so that the intervals don't hide each other."""
    for shift, (colour, of_row) in zip((-0.06, 0.0, 0.06), intervals.items(), strict=False):
        values, low, high = _ends(of_row.values())
        axes.vlines(places + shift, low, high, color=colour, linewidth=1.4)
        marker = "s" if colour == REFERENCE else "o"
        axes.plot(places + shift, values, color=colour, marker=marker, linewidth=2.2)


def _bias(highlighted: Mapping[str, ReportRow], labels: Labels) -> Drawing:
    """Draw the mean signed error by true age: per bin with intervals, and each single age as a small dot."""
    by_colour = {colour: row.facts.intervals[_BIAS_BY_BIN.name] for colour, row in highlighted.items()}

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=0.9)
        for colour, row in highlighted.items():
            errors = row.facts.age_error_by_age
            known = [(age, bias) for age, bias in zip(errors.age, errors.bias, strict=True) if bias is not None]
            # The middle of a bin is at its place: single ages lie around it.
            at = (np.array([age for age, _ in known]) - 0.5) / labels.age_bin_width - 0.5
            axes.plot(at, [bias for _, bias in known], color=colour, marker="o", markersize=2, linestyle="", alpha=0.5)
        _lines(axes, np.arange(len(labels.age_bins)), by_colour)
        name_places(axes, labels.age_bins)
        axes.set_xlabel(f"True age, {labels.age_unit}")
        axes.set_ylabel(f"Predicted − true age, {labels.age_unit}")
        axes.grid(axis="y")

    facts = [
        f"{highlighted[colour].title}: {_listed({name: interval.value for name, interval in intervals.items()})}"
        for colour, intervals in by_colour.items()
    ]
    return draw(paint, "age-bias", f"{_BIAS_BY_BIN.title} by true age", facts, 440, 300)


def _error_boxes(highlighted: Mapping[str, ReportRow], labels: Labels) -> Drawing:
    """Draw the distribution of the signed age error within each age bin."""
    boxes_by_colour = {colour: row.facts.age_error_boxes for colour, row in highlighted.items()}
    width = 0.7 / len(highlighted)

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=MUTED, linewidth=0.9)
        for place, (colour, boxes) in enumerate(boxes_by_colour.items()):
            shift = (place - (len(highlighted) - 1) / 2) * (width + 0.04)
            line = {"color": colour, "linewidth": 1.2}
            drawn = {index + shift: box for index, box in enumerate(boxes.values()) if box}
            axes.bxp(
                [
                    {"whislo": box.low, "q1": box.q1, "med": box.median, "q3": box.q3, "whishi": box.high}
                    for box in drawn.values()
                ],
                positions=list(drawn),
                widths=width,
                showfliers=False,
                patch_artist=True,
                manage_ticks=False,
                boxprops={"facecolor": colour, "edgecolor": colour, "alpha": 0.85},
                medianprops={"color": PAPER, "linewidth": 1.8},
                whiskerprops=line,
                capprops=line,
            )
        name_places(axes, labels.age_bins)
        axes.set_xlabel(f"True age, {labels.age_unit}")
        axes.set_ylabel(f"Predicted − true age, {labels.age_unit}")
        axes.grid(axis="y")

    facts = [
        f"{row.title}: median error {_listed({name: box.median if box else None for name, box in boxes.items()})}"
        for row, boxes in zip(highlighted.values(), boxes_by_colour.values(), strict=True)
    ]
    return draw(paint, "age-errors", "Age error against true age", facts, 440, 300)


def _mae(row: ReportRow) -> float:
    value = row.facts.scalar(_MAE).value
    return math.inf if value is None else value


def _ends(intervals: Iterable[Interval]) -> npt.NDArray[np.float64]:
    """Values, lower and upper ends, shape ``[3, intervals]``; NaN where unknown."""
    return np.array([(interval.value, interval.low, interval.high) for interval in intervals], np.float64).T


def _listed(values: Mapping[str, Number]) -> str:
    """Values with the name of each, for a description."""
    return ", ".join(f"{name} {decimal(value, 1)}" for name, value in values.items())
