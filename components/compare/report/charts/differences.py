"""Charts of the differences from the reference."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from matplotlib.axes import Axes

from components.compare.contract import Number, PairedTestFacts, Verdict
from components.compare.report.charts.canvas import GAIN, LOSS, MUTED, PAPER, REFERENCE, Drawing, draw
from components.compare.report.formats import decimal
from components.compare.report.report_rows import ReportRow, short
from components.dataset.labels import Labels
from components.evaluation.catalogue import Better, Metric

if TYPE_CHECKING:
    from components.compare.run_pairs import RowChange

_VERDICT_COLOURS = {"better": GAIN, "worse": LOSS, "no difference shown": REFERENCE}


@dataclass(frozen=True)
class _Difference:
    """One line of a chart: a difference with its interval, and what is said of it."""

    label: str
    value: Number
    low: Number
    high: Number
    verdict: Verdict
    is_filled: bool


def difference_charts(
    rows: Mapping[str, ReportRow], tests: Mapping[Metric, Sequence[PairedTestFacts]], labels: Labels
) -> dict[str, Drawing]:
    """Draw the paired differences from the reference, a chart per metric, by the chart's caption."""
    charts = {}
    for place, (metric, of_metric) in enumerate(tests.items()):
        lines = [
            _Difference(rows[test.a].own_label, test.difference, test.low, test.high, test.verdict, test.significant)
            for test in of_metric
        ]
        charts[metric.title] = _forest(metric, lines, "the reference", f"forest-{place}", metric.unit(labels))
    return charts


def run_difference_charts(changes: Mapping[Metric, "Sequence[RowChange]"], labels: Labels) -> dict[str, Drawing]:
    """Draw the differences between two runs, a chart per metric, by the chart's caption."""
    charts = {}
    for place, (metric, of_metric) in enumerate(changes.items()):
        lines = [
            _Difference(short(change.row), change.difference, change.low, change.high, change.verdict, change.differs)
            for change in of_metric
        ]
        charts[metric.title] = _forest(metric, lines, "the first run", f"runs-{place}", metric.unit(labels))
    return charts


def _forest(metric: Metric, lines: Sequence[_Difference], other: str, key: str, unit: str) -> Drawing:
    """Draw the differences in one metric as dots with intervals; a hollow dot is not significant."""

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=0.9)
        for place, line in enumerate(lines):
            colour = _VERDICT_COLOURS[line.verdict]
            if line.low is not None and line.high is not None:
                axes.plot([line.low, line.high], [place, place], color=colour, linewidth=2)
            if line.value is not None:
                face = colour if line.is_filled else PAPER
                axes.plot(line.value, place, marker="o", markersize=7, color=colour, markerfacecolor=face)
        axes.set_yticks(range(len(lines)), [line.label for line in lines])
        axes.set_ylim(len(lines) - 0.4, -0.6)
        ends = [abs(end) for line in lines for end in (line.low, line.high) if end is not None]
        widest = 1.1 * max(ends, default=0) or 1
        axes.set_xlim(-widest, widest)
        axes.locator_params(axis="x", nbins=5)
        is_lower = metric.better is Better.LOWER
        told = f"difference, {unit}" if unit else "difference"
        axes.set_xlabel(f"better ← {told} → worse" if is_lower else f"worse ← {told} → better")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    facts = [f"{line.label} {decimal(line.value, metric.decimals, signed=True)}, {line.verdict}" for line in lines]
    return draw(paint, key, f"{metric.title}: difference from {other}", facts, 440, 54 + 26 * len(lines))
