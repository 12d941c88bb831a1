"""Charts of the faces before and after preprocessing."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from components.compare.report.charts.canvas import DROPPED, KEPT, Drawing, draw
from components.compare.report.formats import count
from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS, Output
from components.dataset.summaries import Distributions

_AGE_STEPS = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
_MOST_AGE_STEPS = 30
"""Bars of the histogram of the ages, at most."""

_LOG_STEP = 0.25


def dataset_charts(before: Distributions, after: Distributions, labels: Labels) -> dict[str, Drawing]:
    """Draw how the faces are distributed over each output, before and after preprocessing, by the chart's caption.

    Args:
        before: All files that could be read.
        after: The faces that are used.
        labels: What an age counts.
    """
    charts = {}
    for name, counts in before.items():
        output, kept = OUTPUTS[name], after[name]
        if output.is_classified:
            charts[output.title] = _class_counts(counts, Counter(kept), output)
        else:
            charts |= _age_histograms(counts, kept, output, labels.age_unit)
    return charts


def _class_counts(before: Mapping[str, int], after: Counter[str], output: Output) -> Drawing:
    """Draw the faces of each class."""
    names = list(before)

    def paint(axes: Axes) -> None:
        places = np.arange(len(names))
        largest = max(before.values())
        for shift, counts, colour in ((-0.2, before, DROPPED), (0.2, after, KEPT)):
            axes.barh(places + shift, [counts[name] for name in names], height=0.36, color=colour)
            for place, name in enumerate(names):
                faces = counts[name]
                axes.text(faces + 0.015 * largest, place + shift, count(faces), va="center", fontsize=9.5)
        axes.set_yticks(places, names)
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_xlim(0, 1.17 * largest)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("Faces")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    facts = [f"{name} {before[name]} before, {after[name]} after" for name in names]
    title = f"{output.title} before and after preprocessing"
    return draw(paint, f"data-{output.name}", title, facts, 440, 52 + 40 * len(names))


def _age_histograms(
    before: Mapping[str, int], after: Mapping[str, int], output: Output, unit: str
) -> dict[str, Drawing]:
    """Draw the ages and their natural logarithms."""
    counts = [{float(age): faces for age, faces in by_age.items()} for by_age in (before, after)]
    logs = [{math.log(age): faces for age, faces in by_age.items()} for by_age in counts]
    oldest = max(counts[0])
    step = next((step for step in _AGE_STEPS if oldest <= step * _MOST_AGE_STEPS), _AGE_STEPS[-1])
    edges = np.arange(0, oldest + step, step) + 0.5
    log_edges = np.arange(math.floor(math.log(oldest) / _LOG_STEP) + 2) * _LOG_STEP
    title, log_title, log_label = output.title, f"Log-{output.name}", f"Natural logarithm of the {output.name}"
    return {
        title: _histogram(counts, edges, title, f"{title}, {unit}", f"data-{output.name}"),
        log_title: _histogram(logs, log_edges, log_title, log_label, f"data-log-{output.name}"),
    }


def _histogram(
    counts: Sequence[Mapping[float, int]], edges: npt.NDArray[np.floating], title: str, label: str, key: str
) -> Drawing:
    """Draw the faces by value, before and after."""
    before, after = (np.histogram(list(faces), edges, weights=list(faces.values()))[0] for faces in counts)

    def paint(axes: Axes) -> None:
        axes.stairs(before, edges, fill=True, color=DROPPED, alpha=0.75)
        axes.stairs(after, edges, fill=True, color=KEPT, alpha=0.35)
        axes.stairs(after, edges, color=KEPT, linewidth=1.6)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(label)
        axes.set_ylabel("Faces")
        axes.locator_params(axis="y", nbins=5)
        axes.grid(axis="y")

    peaks = [f"{edges[bins.argmax()]:.5g} to {edges[bins.argmax() + 1]:.5g}" for bins in (before, after)]
    fact = f"{label}: most faces from {peaks[0]} before and from {peaks[1]} after preprocessing"
    return draw(paint, key, f"{title} before and after preprocessing", [fact], 440, 250)
