"""Charts of the trials of the hyperparameter searches."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes

from components.compare.contract import Trial
from components.compare.report.charts.canvas import DROPPED, KEPT, Drawing, draw
from components.compare.report.formats import decimal


def trial_charts(history: Mapping[str, Sequence[Trial]]) -> dict[str, Drawing]:
    """Draw the score of each trial and the best so far, a chart per search, by its caption."""
    return {
        f"Search for {variant}": _scores(variant, trials, f"trials-{place}")
        for place, (variant, trials) in enumerate(history.items())
        if any(trial.score is not None for trial in trials)
    }


def _scores(variant: str, trials: Sequence[Trial], key: str) -> Drawing:
    scores = np.array([trial.score for trial in trials], np.float64)
    places = np.arange(1, len(trials) + 1)

    def paint(axes: Axes) -> None:
        axes.step(places, np.fmin.accumulate(scores), where="post", color=KEPT, linewidth=1.8)
        axes.plot(places, scores, color=DROPPED, marker="o", markersize=6, linestyle="")
        best = int(np.nanargmin(scores))
        axes.plot(places[best], scores[best], color=KEPT, marker="o", markersize=8)
        axes.locator_params(axis="x", integer=True, nbins=6)
        axes.locator_params(axis="y", nbins=5)
        axes.set_xlabel("Trial")
        axes.set_ylabel("Score, less is better")
        axes.grid(axis="y")

    facts = [f"trial {trial.trial} {decimal(trial.score)}" for trial in trials]
    return draw(paint, key, f"Scores of the trials for {variant}", facts, 440, 230)
