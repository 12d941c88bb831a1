"""Charts of the classes of the focus output."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from components.compare.report.charts.canvas import ACCENT, INK, OTHER, REFERENCE, Drawing, draw
from components.compare.report.formats import decimal, short_title
from components.compare.report.report_rows import ReportRow
from components.dataset.outputs import FOCUS
from components.evaluation.catalogue import NAMED

_F1 = NAMED[f"{FOCUS.name}_f1"]

_ROLE_COLOURS = {"reference": REFERENCE, "recommended": ACCENT, "other": OTHER}


def class_charts(rows: Sequence[ReportRow]) -> dict[str, Drawing]:
    """Draw the F1 of each class, by the chart's caption."""
    names = rows[0].facts.intervals[_F1.name]
    return {f"{short_title(_F1)}, {name}": _bars(rows, name, f"f1-{place}") for place, name in enumerate(names)}


def _bars(rows: Sequence[ReportRow], name: str, key: str) -> Drawing:
    """Draw one class's F1 of every row as bars with intervals, from 0 to 1."""
    intervals = [row.facts.named(_F1, name) for row in rows]

    def paint(axes: Axes) -> None:
        places = range(len(rows))
        colours = [_ROLE_COLOURS[row.role] for row in rows]
        axes.barh(places, [interval.value or 0 for interval in intervals], height=0.72, color=colours)
        for place, interval in zip(places, intervals, strict=True):
            if interval.low is not None and interval.high is not None:
                axes.plot([interval.low, interval.high], [place, place], color=INK, linewidth=1.1)
            axes.text(1.03, place, decimal(interval.value, 2), va="center", fontsize=10.5)
        axes.set_yticks(places, [row.label for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1.16)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".50", ".75", "1"])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    facts = [f"{row.title} {decimal(interval.value, 2)}" for row, interval in zip(rows, intervals, strict=True)]
    return draw(paint, key, f"{_F1.title}, {name}", facts, 440, 34 + 21 * len(rows))
