"""Two finished runs side by side: paired by face where their test faces are the same."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from components.compare.contract import Comparison
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    from components.evaluation.predictions import Predictions
    from components.evaluation.scoring import Scored

RESAMPLES = 2000
"""Bootstrap resamples behind each interval."""


@dataclass(frozen=True)
class Row:
    """One metric of one variant in two runs.

    Attributes:
        variant: The variant.
        metric: Name of the metric.
        a: Its value in the first run, over all seeds of the row.
        b: Its value in the second run.
        difference: Second minus first, over the common seeds; None where the faces or all seeds differ.
        low: Lower end of its interval.
        high: Upper end of its interval.
    """

    variant: str
    metric: str
    a: float | None
    b: float | None
    difference: float | None = None
    low: float | None = None
    high: float | None = None

    @property
    def differs(self) -> bool:
        """Whether the interval of the difference leaves out zero."""
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high


@dataclass(frozen=True)
class RunPair:
    """Two runs side by side.

    Attributes:
        rows: A row for each variant of either run and each main metric.
        paired: Whether both were judged on the same test faces.
        confidence: Share that the intervals cover.
        notes: What limits the comparison, in sentences.
    """

    rows: list[Row]
    paired: bool
    confidence: float
    notes: list[str]


def compare_runs(first: RunFolder, second: RunFolder, resamples: int = RESAMPLES) -> RunPair:
    """Compare two finished runs.

    The intervals are those of a paired bootstrap over the faces; with several common seeds they also hold the spread
    over seeds, as in a run's own comparison.

    Raises:
        ArtifactError: If a run's files are missing or damaged.
    """
    from components.errors import DataError
    from components.evaluation.catalogue import MAIN, switched_on
    from components.evaluation.predictions import Predictions, align

    a, b = Comparison.read(first.comparison), Comparison.read(second.comparison)
    common = [name for name in a.variants if name in b.variants]
    seeds = {name: [seed for seed in a.variants[name].seeds if seed in b.variants[name].seeds] for name in common}
    notes = [
        f"{name} is in one run alone."
        for name in dict.fromkeys([*a.variants, *b.variants])
        if (name in a.variants) != (name in b.variants)
    ]
    notes += [f"{name} has no seed in both runs, so its difference is not told." for name in common if not seeds[name]]
    keys = [(side, name, seed) for side in (0, 1) for name in common for seed in seeds[name]]
    changes: dict[tuple[str, str], tuple[float, float, float]] = {}
    paired = False
    if keys:
        folders = (first, second)
        read = [Predictions.read(_file(folders[side], name, seed)) for side, name, seed in keys]
        try:
            aligned = dict(zip(keys, align(read), strict=True))
            paired = True
        except DataError:
            notes.insert(0, "The runs were judged on different test faces, so the rows stand unpaired side by side.")
    if paired:
        named = {name: chosen for name, chosen in seeds.items() if chosen}
        sides = [{name: [aligned[side, name, seed] for seed in named[name]] for name in named} for side in (0, 1)]
        changes = _changes(sides[0], sides[1], resamples, a.confidence)
    rows = [
        Row(
            name,
            metric,
            _value(a, name, metric),
            _value(b, name, metric),
            *changes.get((name, metric), (None, None, None)),
        )
        for name in dict.fromkeys([*a.variants, *b.variants])
        for metric in MAIN
        if any(metric in switched_on(MAIN, run.dataset.labels) for run in (a, b))
    ]
    return RunPair(rows, paired, a.confidence, notes)


def _changes(
    ours: dict[str, list["Predictions"]], theirs: dict[str, list["Predictions"]], resamples: int, confidence: float
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return second minus first with its interval, by variant and metric."""
    import numpy as np

    from components.evaluation.bootstrap import Weighting
    from components.evaluation.catalogue import MAIN, switched_on
    from components.evaluation.scoring import difference, score_seeds

    faces = next(iter(ours.values()))[0]
    shares = np.bincount(faces.cells(), minlength=faces.labels.cell_count) / len(faces)
    observed = Weighting.observed(faces)
    found = {}
    with Weighting.bootstrap(faces, resamples, seed=0) as resampled:

        def score(predictions: Sequence["Predictions"], run: str) -> "Scored":
            # Each run has trained networks of its own, whatever their variant and seed are called.
            return score_seeds(predictions, observed, resampled, shares, confidence, run)

        for name, predictions in ours.items():
            before, after = score(predictions, "first"), score(theirs[name], "second")
            for metric in switched_on(MAIN, faces.labels):
                estimate = difference(after, before, metric)
                found[name, metric] = (float(estimate.value), float(estimate.low), float(estimate.high))
    return found


def _value(comparison: Comparison, name: str, metric: str) -> float | None:
    from components.evaluation.catalogue import CATALOGUE, switched_on

    row = comparison.variants.get(name)
    is_known = metric in switched_on(CATALOGUE, comparison.dataset.labels)
    value = row.scalar(CATALOGUE[metric]).value if row is not None and is_known else None
    return None if value is None or math.isnan(value) else value


def _file(folder: RunFolder, variant: str, seed: int) -> Path:
    return folder.predictions / variant / f"{seed}.parquet"
