"""Reliability diagrams: how often answers of some confidence are right."""

from collections.abc import Sequence

from matplotlib.axes import Axes

from components.compare.report.charts.canvas import MUTED, ROLE_COLOURS, Drawing, draw
from components.compare.report.formats import decimal
from components.compare.report.report_rows import ReportRow
from components.dataset.outputs import CLASSIFIED


def calibration_charts(rows: Sequence[ReportRow]) -> dict[str, Drawing]:
    """Draw a reliability diagram of each classified output, by its caption; the reference and the choice on top.

    The trained rows are drawn, and the recommended one where it is adjusted after training.
    """
    shown = [row for row in rows if row.role != "other" or row.facts.is_trained]
    ordered = sorted(shown, key=lambda row: row.role != "other")
    return {
        f"{output.title}: share that is right, by confidence": _diagram(ordered, name, f"calibration-{name}")
        for name, output in CLASSIFIED.items()
        if name in shown[0].facts.calibration
    }


def _diagram(rows: Sequence[ReportRow], output: str, key: str) -> Drawing:
    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
        for row in rows:
            bins = row.facts.calibration[output].bins
            known = [(each.confidence, each.accuracy) for each in bins if None not in (each.confidence, each.accuracy)]
            width = 1.1 if row.role == "other" else 2.0
            axes.plot(*zip(*known, strict=True), color=ROLE_COLOURS[row.role], linewidth=width, marker="o")
        axes.set_xlim(0, 1.02)
        axes.set_ylim(0, 1.02)
        axes.set_xlabel("Confidence")
        axes.set_ylabel("Share that is right")
        axes.grid(visible=True)

    facts = [f"{row.title} error {decimal(row.facts.calibration[output].error)}" for row in rows]
    return draw(paint, key, f"Reliability of the {output}", facts, 330, 300)
