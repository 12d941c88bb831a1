"""Charts of the classes of the output that is at stake."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from components.compare.report.charts.canvas import INK, ROLE_COLOURS, Drawing, Point, draw, label_points
from components.compare.report.formats import decimal, short_title
from components.compare.report.report_rows import ReportRow
from components.dataset.outputs import FOCUS
from components.evaluation.catalogue import NAMED

_F1 = NAMED[f"{FOCUS.name}_f1"]
_RECALL, _PRECISION = NAMED[f"{FOCUS.name}_recall"], NAMED[f"{FOCUS.name}_precision"]


def class_charts(rows: Sequence[ReportRow]) -> dict[str, Drawing]:
    """Draw the F1 of each class, by the chart's caption."""
    names = rows[0].facts.intervals[_F1.name]
    return {f"{short_title(_F1)}, {name}": _bars(rows, name, f"f1-{place}") for place, name in enumerate(names)}


def _bars(rows: Sequence[ReportRow], name: str, key: str) -> Drawing:
    """Draw one class's F1 of every row as bars with intervals, from 0 to 1."""
    intervals = [row.facts.named(_F1, name) for row in rows]
    names = {row.name for row in rows}
    labels = [row.label if row.facts.derived_from in names else row.own_label for row in rows]

    def paint(axes: Axes) -> None:
        places = range(len(rows))
        colours = [ROLE_COLOURS[row.role] for row in rows]
        axes.barh(places, [interval.value or 0 for interval in intervals], height=0.72, color=colours)
        for place, interval in zip(places, intervals, strict=True):
            if interval.low is not None and interval.high is not None:
                axes.plot([interval.low, interval.high], [place, place], color=INK, linewidth=1.1)
            axes.text(1.03, place, decimal(interval.value, 2), va="center", fontsize=10.5)
        axes.set_yticks(places, labels)
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.set_xlim(0, 1.16)
        axes.set_xticks([0, 0.25, 0.5, 0.75, 1], ["0", ".25", ".50", ".75", "1"])
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    facts = [f"{row.title} {decimal(interval.value, 2)}" for row, interval in zip(rows, intervals, strict=True)]
    return draw(paint, key, f"{_F1.title}, {name}", facts, 440, 34 + 21 * len(rows))


def weakest_chart(rows: Sequence[ReportRow], name: str) -> Drawing:
    """Draw every row by the recall and the precision of one class; both are best in the upper right corner."""
    points = [
        (row, row.facts.named(_RECALL, name).value, row.facts.named(_PRECISION, name).value)
        for row in sorted(rows, key=lambda row: row.role != "other")
    ]

    def paint(axes: Axes) -> None:
        for row, recall, precision in points:
            if recall is None or precision is None:
                continue
            size = 5 if row.role == "other" else 8
            axes.plot(recall, precision, marker="o", markersize=size, color=ROLE_COLOURS[row.role])
        axes.margins(x=0.12, y=0.15)
        named = [
            Point(row.name, recall, precision, must_be_named=row.role != "other")
            for row, recall, precision in points
            if recall is not None and precision is not None
        ]
        label_points(axes, named)
        axes.set_xlabel("Recall: of its faces, the share that is recognised")
        axes.set_ylabel("Precision: of what is called so, the share that is")
        axes.grid(visible=True)

    facts = [f"{row.title} recall {decimal(recall, 2)}, precision {decimal(precision, 2)}"
             for row, recall, precision in points]  # fmt: skip
    return draw(paint, "weakest", f"Recall and precision of {name}", facts, 440, 330)
