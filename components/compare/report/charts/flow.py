"""The flow of the faces: how many each step keeps and drops, from the files to the splits."""

from matplotlib.axes import Axes

from components.compare.contract import DatasetFacts
from components.compare.report.charts.canvas import DROPPED, INK, KEPT, PAPER, Drawing, draw
from components.compare.report.formats import count


def flow_chart(dataset: DatasetFacts) -> Drawing:
    """Draw what is left after each step, with what it dropped beside it, and how the rest is split."""
    steps = dataset.preprocess.steps
    bars = [(step.step.replace("_", " "), step.faces, step.removed) for step in steps]
    splits = [("training", dataset.train), ("validation", dataset.validation), ("test", dataset.test)]
    largest = max((left + removed for _, left, removed in bars), default=1) or 1

    def paint(axes: Axes) -> None:
        for place, (_, left, removed) in enumerate(bars):
            axes.barh(place, left, height=0.62, color=KEPT)
            axes.barh(place, removed, left=left, height=0.62, color=DROPPED)
            told = f"{count(left)}{f', {count(removed)} dropped' if removed else ''}"
            axes.text(left + removed + 0.012 * largest, place, told, va="center", fontsize=10)
        start = 0.0
        for _, faces in splits:
            axes.barh(len(bars), faces, left=start, height=0.62, color=KEPT, edgecolor=PAPER, linewidth=1.5)
            start += faces
        told = ", ".join(f"{count(faces)} {title}" for title, faces in splits)
        axes.text(start + 0.012 * largest, len(bars), told, va="center", fontsize=10, color=INK)
        axes.set_yticks(range(len(bars) + 1), [*(name for name, _, _ in bars), "splits"])
        axes.set_ylim(len(bars) + 0.55, -0.55)
        axes.set_xlim(0, 1.5 * largest)
        axes.set_xticks([])
        axes.spines[["left", "bottom"]].set_visible(False)

    facts = [f"{name}: {left} left, {removed} dropped" for name, left, removed in bars]
    facts += [f"{title}: {faces}" for title, faces in splits]
    return draw(paint, "flow", "Flow of the faces, kept and dropped", facts, 760, 40 + 27 * (len(bars) + 1))
