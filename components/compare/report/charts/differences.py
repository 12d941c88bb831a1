"""Charts of the differences from the reference."""

from collections.abc import Mapping, Sequence

from matplotlib.axes import Axes

from components.compare.contract import PairedTestFacts
from components.compare.report.charts.canvas import GAIN, LOSS, MUTED, PAPER, REFERENCE, Drawing, draw
from components.compare.report.formats import decimal
from components.compare.report.report_rows import ReportRow
from components.evaluation.catalogue import Better, Metric

_VERDICT_COLOURS = {"better": GAIN, "worse": LOSS, "no difference shown": REFERENCE}


def difference_charts(
    rows: Mapping[str, ReportRow], tests: Mapping[Metric, Sequence[PairedTestFacts]]
) -> dict[str, Drawing]:
    """Draw the paired differences from the reference, a chart per metric, by the chart's caption."""
    labels = {name: row.own_label for name, row in rows.items()}
    places = enumerate(tests.items())
    return {metric.title: _forest(metric, tests_of, labels, f"forest-{place}") for place, (metric, tests_of) in places}


def _forest(metric: Metric, tests: Sequence[PairedTestFacts], labels: Mapping[str, str], key: str) -> Drawing:
    """Draw the differences in one metric as dots with intervals; a hollow dot is not significant."""

    def paint(axes: Axes) -> None:
        axes.axvline(0, color=MUTED, linewidth=0.9)
        for place, test in enumerate(tests):
            colour = _VERDICT_COLOURS[test.verdict]
            if test.low is not None and test.high is not None:
                axes.plot([test.low, test.high], [place, place], color=colour, linewidth=2)
            if test.difference is not None:
                face = colour if test.significant else PAPER
                axes.plot(test.difference, place, marker="o", markersize=7, color=colour, markerfacecolor=face)
        axes.set_yticks(range(len(tests)), [labels[test.a] for test in tests])
        axes.set_ylim(len(tests) - 0.4, -0.6)
        ends = [abs(end) for test in tests for end in (test.low, test.high) if end is not None]
        widest = 1.1 * max(ends, default=0) or 1
        axes.set_xlim(-widest, widest)
        axes.locator_params(axis="x", nbins=5)
        is_lower = metric.better is Better.LOWER
        axes.set_xlabel("better ← difference → worse" if is_lower else "worse ← difference → better")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    facts = [f"{test.a} {decimal(test.difference, metric.decimals, signed=True)}, {test.verdict}" for test in tests]
    return draw(paint, key, f"{metric.title}: difference from the reference", facts, 440, 54 + 26 * len(tests))
