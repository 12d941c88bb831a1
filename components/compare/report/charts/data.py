"""Charts of the faces before and after preprocessing."""

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes

from components.compare.report.charts.canvas import ACCENT, OTHER, Drawing, draw
from components.compare.report.formats import count

Counts = Mapping[str, int]

_AGE_STEP = 5
_LOG_STEP = 0.25


def class_counts(before: Counts, after: Counts, title: str, key: str) -> Drawing:
    """Draw the faces of each class before and after preprocessing.

    Args:
        before: Faces by class of all files that could be read.
        after: Faces by class that were kept.
        title: What the classes are of.
        key: Unique in the page.
    """
    names = list(dict.fromkeys([*before, *after]))

    def paint(axes: Axes) -> None:
        places = np.arange(len(names))
        largest = max([*before.values(), *after.values(), 1])
        for shift, counts, colour in ((-0.2, before, OTHER), (0.2, after, ACCENT)):
            axes.barh(places + shift, [counts.get(name, 0) for name in names], height=0.36, color=colour)
            for place, name in enumerate(names):
                faces = counts.get(name, 0)
                axes.text(faces + 0.015 * largest, place + shift, count(faces), va="center", fontsize=9.5)
        axes.set_yticks(places, names)
        axes.set_ylim(len(names) - 0.45, -0.55)
        axes.set_xlim(0, 1.17 * largest)
        axes.locator_params(axis="x", nbins=5)
        axes.set_xlabel("Faces")
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")

    described = "; ".join(f"{name} {before.get(name, 0)} before, {after.get(name, 0)} after" for name in names)
    return draw(paint, key, f"{title} before and after preprocessing", f"{described}.", 440, 52 + 40 * len(names))


def age_histogram(before: Counts, after: Counts, key: str) -> Drawing:
    """Draw the ages before and after preprocessing, in steps of five years.

    Args:
        before: Faces by age in years, of all files that could be read.
        after: Faces by age in years, of those kept.
        key: Unique in the page.
    """
    oldest = max((int(age) for counts in (before, after) for age in counts), default=1)
    edges = np.arange(0, oldest + _AGE_STEP, _AGE_STEP) + 0.5
    histograms = [np.histogram(_ages(counts), edges, weights=list(counts.values()))[0] for counts in (before, after)]
    return _histogram(edges, histograms, "Age", "Age, years", key)


def log_age_histogram(before: Counts, after: Counts, key: str) -> Drawing:
    """Draw the natural logarithm of the ages before and after preprocessing; arguments as :func:`age_histogram`."""
    oldest = max((int(age) for counts in (before, after) for age in counts), default=1)
    edges = np.arange(math.floor(math.log(oldest) / _LOG_STEP) + 2) * _LOG_STEP
    histograms = [
        np.histogram(np.log(_ages(counts)), edges, weights=list(counts.values()))[0] for counts in (before, after)
    ]
    return _histogram(edges, histograms, "Log-age", "Natural logarithm of the age", key)


def _histogram(
    edges: npt.NDArray[np.floating], histograms: list[npt.NDArray[np.float64]], title: str, label: str, key: str
) -> Drawing:
    def paint(axes: Axes) -> None:
        before, after = histograms
        axes.stairs(before, edges, fill=True, color=OTHER, alpha=0.75)
        axes.stairs(after, edges, fill=True, color=ACCENT, alpha=0.35)
        axes.stairs(after, edges, color=ACCENT, linewidth=1.6)
        axes.set_xlim(edges[0], edges[-1])
        axes.set_ylim(bottom=0)
        axes.set_xlabel(label)
        axes.set_ylabel("Faces")
        axes.locator_params(axis="y", nbins=5)
        axes.grid(axis="y")

    peaks = [f"{edges[each.argmax()]:.3g} to {edges[each.argmax() + 1]:.3g}" for each in histograms]
    described = f"{label}: most faces from {peaks[0]} before and from {peaks[1]} after preprocessing."
    return draw(paint, key, f"{title} before and after preprocessing", described, 440, 250)


def _ages(counts: Counts) -> npt.NDArray[np.float64]:
    return np.array([int(age) for age in counts], dtype=np.float64)
