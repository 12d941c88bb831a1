"""The flow of the faces: how many each step keeps and drops, from the files to the splits."""

from matplotlib.axes import Axes

from components.compare.contract import DatasetFacts
from components.compare.report.charts.canvas import DROPPED, KEPT, Drawing, draw
from components.compare.report.formats import count


def flow_chart(dataset: DatasetFacts) -> Drawing:
    """Draw what is left after each step, with what it dropped beside it, and how the rest is split."""
    bars = [(step.step.replace("_", " "), 0, step.faces, step.removed) for step in dataset.preprocess.steps]
    start = 0
    for title, faces in (("training", dataset.train), ("validation", dataset.validation), ("test", dataset.test)):
        bars.append((title, start, faces, 0))
        start += faces
    largest = max((left + removed for _, _, left, removed in bars), default=1) or 1

    def paint(axes: Axes) -> None:
        for place, (_, begin, left, removed) in enumerate(bars):
            axes.barh(place, left, left=begin, height=0.62, color=KEPT)
            axes.barh(place, removed, left=begin + left, height=0.62, color=DROPPED)
            told = f"{count(left)}{f', {count(removed)} dropped' if removed else ''}"
            axes.text(begin + left + removed + 0.02 * largest, place, told, va="center", fontsize=10)
        axes.set_yticks(range(len(bars)), [name for name, _, _, _ in bars])
        axes.set_ylim(len(bars) - 0.45, -0.55)
        axes.set_xlim(0, 1.75 * largest)
        axes.set_xticks([])
        axes.spines[["left", "bottom"]].set_visible(False)

    facts = [f"{name}: {left} left, {removed} dropped" for name, _, left, removed in bars]
    return draw(paint, "flow", "Flow of the faces, kept and dropped", facts, 440, 20 + 24 * len(bars))
