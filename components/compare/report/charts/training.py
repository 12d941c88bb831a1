"""Charts of how the variants trained."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from components.compare.report.charts.canvas import ACCENT, OTHER, REFERENCE, Drawing, draw
from components.compare.report.formats import decimal

Limits = tuple[float, float]


def training_curve(
    histories: Mapping[int, pd.DataFrame],
    column: str,
    title: str,
    best_epochs: Mapping[int, int | None],
    key: str,
    limits: Limits | None = None,
) -> Drawing:
    """Draw one column of the training history, on training and validation faces, a line per seed.

    Args:
        histories: By seed; with ``epoch``, ``column`` and ``val_<column>``.
        column: Name of the loss or metric.
        title: What it is, for people.
        best_epochs: By seed, the epoch whose weights were kept.
        key: Unique in the page.
        limits: Lowest and highest value shown. Default: what fits the lines.
    """

    def paint(axes: Axes) -> None:
        for seed, history in histories.items():
            epochs = _epochs(history)
            if best_epochs.get(seed):
                axes.axvline(best_epochs[seed] or 0, color=OTHER, linewidth=1, linestyle=(0, (2, 2)))
            for name, colour, width in ((column, REFERENCE, 1.2), (f"val_{column}", ACCENT, 1.9)):
                if name in history:
                    marker = "o" if len(epochs) == 1 else None
                    axes.plot(epochs, history[name].to_numpy(np.float64), color=colour, linewidth=width, marker=marker)
        axes.set_title(title, fontsize=11, loc="left")
        axes.locator_params(axis="x", integer=True, nbins=5)
        axes.locator_params(axis="y", nbins=5)
        axes.set_xlabel("Epoch")
        if limits:
            axes.set_ylim(*limits)
        axes.grid(axis="y")

    ends = "; ".join(
        f"seed {seed}: from {decimal(values.iloc[0])} to {decimal(values.iloc[-1])} on validation faces"
        for seed, history in histories.items()
        if len(values := _validation(history, column))
    )
    return draw(paint, key, f"{title} over the epochs", f"{ends}.", 250, 190)


def _epochs(history: pd.DataFrame) -> np.ndarray:
    return history["epoch"].to_numpy() if "epoch" in history else np.arange(1, len(history) + 1)


def _validation(history: pd.DataFrame, column: str) -> pd.Series:
    name = f"val_{column}" if f"val_{column}" in history else column
    return history[name].dropna() if name in history else pd.Series(dtype=float)
