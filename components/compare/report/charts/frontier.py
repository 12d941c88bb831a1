"""The chart of all outputs at once: what a gain in one of them costs in another."""

from collections.abc import Collection, Sequence

from matplotlib.axes import Axes

from components.compare.report.charts.canvas import ROLE_COLOURS, Drawing, Point, draw, label_points
from components.compare.report.formats import decimal
from components.compare.report.report_rows import ReportRow
from components.dataset.labels import Labels
from components.dataset.outputs import FOCUS
from components.evaluation.catalogue import MAIN, Better

_UP = next(metric for metric in MAIN.values() if metric.output == FOCUS.name)


def frontier_chart(rows: Sequence[ReportRow], frontier: Collection[str], labels: Labels) -> Drawing | None:
    """Draw every row by its age error and its score in the output that is at stake; better is up and to the left.

    Only the rows of the frontier have a name, so that thirty of them stay readable. Where the age is switched off,
    another output is in its place; None where there is no other.
    """
    others = [metric for metric in MAIN.values() if metric is not _UP and metric.output in labels.outputs]
    if not others:
        return None
    side = others[0]
    unit = f" {side.unit(labels)}" if side.is_age else ""

    def paint(axes: Axes) -> None:
        points = []
        for row in rows:
            across, up = (row.facts.scalar(metric) for metric in (side, _UP))
            if across.value is None or up.value is None:
                continue
            colour = ROLE_COLOURS[row.role]
            on_it = row.name in frontier
            is_decisive = row.role != "other"
            axes.plot(across.value, up.value, marker="o", markersize=8 if on_it or is_decisive else 5, color=colour)
            points.append(Point(row.name, across.value, up.value, on_it or is_decisive, is_decisive))
        axes.margins(x=0.12, y=0.15)
        label_points(axes, points)
        direction = "less" if side.better is Better.LOWER else "more"
        axes.set_xlabel(f"{side.title}{unit and ','}{unit} ({direction} is better)")
        axes.set_ylabel(f"{_UP.title} (more is better)")
        axes.grid(visible=True)

    facts = [
        f"{row.name} {decimal(row.facts.scalar(side).value, side.decimals)}{unit}, "
        f"{decimal(row.facts.scalar(_UP).value)}{', frontier' if row.name in frontier else ''}"
        for row in rows
    ]
    return draw(paint, "frontier", f"{_UP.title} against {side.title}", facts, 440, 330)
