"""The chart of all outputs at once: what a gain in one of them costs in another."""

from collections.abc import Collection, Sequence

from matplotlib.axes import Axes

from components.compare.report.charts.canvas import ACCENT, INK, OTHER, REFERENCE, Drawing, draw
from components.compare.report.formats import decimal
from components.compare.report.report_rows import ReportRow
from components.dataset.outputs import FOCUS, OUTPUTS
from components.evaluation.catalogue import MAIN

_ACROSS = next(metric for metric in MAIN.values() if not OUTPUTS[metric.output].is_classified)

_UP = next(metric for metric in MAIN.values() if metric.output == FOCUS.name)

_ROLE_COLOURS = {"reference": REFERENCE, "recommended": ACCENT, "other": OTHER}


def frontier_chart(rows: Sequence[ReportRow], frontier: Collection[str]) -> Drawing:
    """Draw every row by its age error and its score in the output that is at stake; better is up and to the left.

    Only the rows of the frontier have a name, so that thirty of them stay readable.
    """

    def paint(axes: Axes) -> None:
        for row in rows:
            across, up = (row.facts.scalar(metric) for metric in (_ACROSS, _UP))
            if across.value is None or up.value is None:
                continue
            colour = _ROLE_COLOURS[row.role]
            on_it = row.name in frontier
            axes.plot(across.value, up.value, marker="o", markersize=8 if on_it else 5, color=colour)
            if on_it or row.role != "other":
                axes.annotate(
                    row.name,
                    (across.value, up.value),
                    xytext=(7, 3),
                    textcoords="offset points",
                    fontsize=10,
                    color=INK,
                )
        axes.margins(x=0.25, y=0.15)
        axes.set_xlabel(f"{_ACROSS.title}, {_ACROSS.unit} (less is better)")
        axes.set_ylabel(f"{_UP.title} (more is better)")
        axes.grid(visible=True)

    facts = [
        f"{row.name} {decimal(row.facts.scalar(_ACROSS).value, 2)} {_ACROSS.unit}, "
        f"{decimal(row.facts.scalar(_UP).value)}{', frontier' if row.name in frontier else ''}"
        for row in rows
    ]
    return draw(paint, "frontier", f"{_UP.title} against {_ACROSS.title}", facts, 640, 330)
