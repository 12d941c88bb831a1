"""Two finished runs side by side: paired by face where their test faces are the same."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.compare.contract import Comparison, Row, Verdict
from components.compare.runs import adjust
from components.dataset.outputs import FOCUS
from components.errors import DataError
from components.evaluation.bootstrap import Weighting
from components.evaluation.catalogue import CATALOGUE, MAIN, Metric, switched_on
from components.evaluation.predictions import Predictions, align
from components.evaluation.scoring import Scored, difference, score_ensemble, score_seeds

RESAMPLES = 2000
"""Bootstrap resamples behind each interval."""

Networks = list[Predictions]
"""What the networks of one row predict, one per seed."""


@dataclass(frozen=True)
class FinishedRun:
    """A run that has ended well.

    Attributes:
        name: What to call it.
        comparison: All its numbers.
        predictions: Folder of ``<variant>/<seed>.parquet``, on its test faces.
    """

    name: str
    comparison: Comparison
    predictions: Path


@dataclass(frozen=True)
class RowChange:
    """One metric of a row in two runs.

    Attributes:
        row: The row; ``"first → second"`` where each run's answer is another one.
        metric: Name of the metric.
        a: Its value in the first run, over all seeds of the row.
        b: Its value in the second run.
        difference: Second minus first, over the common seeds; None where the faces or all seeds differ.
        low: Lower end of its interval.
        high: Upper end of its interval.
    """

    row: str
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

    @property
    def verdict(self) -> Verdict:
        """What the interval says of the second run."""
        if not self.differs:
            return "no difference shown"
        return "better" if CATALOGUE[self.metric].better.gain(self.difference or 0.0) > 0 else "worse"


@dataclass(frozen=True)
class RunPair:
    """Two runs side by side.

    Attributes:
        first: The run that the other is compared with.
        second: The other one.
        paired: Whether both were judged on the same test faces.
        changes: Each main metric of each row of either run, where the row has a value of its own. Where the runs lead
            to rows of different names, that of the second against that of the first comes before them.
        notes: What limits the comparison, in sentences.
    """

    first: FinishedRun
    second: FinishedRun
    paired: bool
    changes: list[RowChange]
    notes: list[str] = field(default_factory=list)

    @property
    def confidence(self) -> float:
        """Share that the intervals cover."""
        return self.first.comparison.confidence


@dataclass(frozen=True)
class _Pair:
    """A row of the first run and one of the second, which stand on one line; None where a run has no such row."""

    title: str
    rows: tuple[Row | None, Row | None]
    names: tuple[str, str]

    @property
    def seeds(self) -> list[int]:
        """Seeds of both rows."""
        a, b = self.rows
        return [seed for seed in a.seeds if seed in b.seeds] if a and b else []


def pair_runs(first: FinishedRun, second: FinishedRun, resamples: int = RESAMPLES) -> RunPair:
    """Compare two finished runs.

    The intervals are those of a paired bootstrap over the faces; with several common seeds they also hold the spread
    over seeds, as in a run's own comparison. A post-hoc row is adjusted as its own run has adjusted it.

    Raises:
        ArtifactError: If a run's files are missing or damaged.
    """
    pairs = list(_pairs(first.comparison, second.comparison))
    notes = list(_limits(pairs))
    common = {pair.title: (_read(first, pair, 0), _read(second, pair, 1)) for pair in pairs if pair.seeds}
    found: dict[tuple[str, str], tuple[float, float, float]] = {}
    paired = False
    if common:
        try:
            common = _aligned(common)
            paired = True
        except DataError:
            notes.insert(0, "The runs were judged on different test faces, so the rows stand unpaired side by side.")
    if paired:
        averaged = {pair.title: tuple(row is not None and row.is_ensemble for row in pair.rows) for pair in pairs}
        found = _changes(common, averaged, resamples, first.comparison.confidence)
    changes = [
        RowChange(
            pair.title,
            metric.name,
            *(_value(row, metric) for row in pair.rows),
            *found.get((pair.title, metric.name), (None, None, None)),
        )
        for pair in pairs
        for metric in MAIN.values()
        if any(metric.output in row.learned for row in pair.rows if row)
        if any(row.changes(metric) for row in pair.rows if row) or pair.names[0] != pair.names[1]
    ]
    return RunPair(first, second, paired, changes, notes)


def _pairs(a: Comparison, b: Comparison) -> Iterator[_Pair]:
    ours, theirs = a.recommended.variant, b.recommended.variant
    if ours and theirs and ours != theirs:
        yield _Pair(f"{ours} → {theirs}", (a.rows[ours], b.rows[theirs]), (ours, theirs))
    for name in dict.fromkeys([*a.rows, *b.rows]):
        yield _Pair(name, (a.rows.get(name), b.rows.get(name)), (name, name))


def _limits(pairs: Sequence[_Pair]) -> Iterator[str]:
    """Say which rows can't be compared; a row that derives from a variant follows it."""
    for pair in pairs:
        alone = [row for row in pair.rows if row]
        if not alone[0].is_trained and len(alone) == 1:
            continue
        if len(alone) == 1:
            yield f"{pair.title} is in one run alone."
        elif not pair.seeds and alone[0].is_trained:
            yield f"{pair.title} has no seed in both runs, so its difference is not told."


def _read(run: FinishedRun, pair: _Pair, side: int) -> Networks:
    """Return what a row's networks predict with the common seeds; an ensemble keeps all of its own."""
    row, name = pair.rows[side], pair.names[side]
    if row is None:
        return []
    files = [
        run.predictions / (row.derived_from or name) / f"{seed}.parquet"
        for seed in (row.seeds if row.is_ensemble else pair.seeds)
    ]
    networks = [Predictions.read(path) for path in files]
    if not row.is_adjusted:
        return networks
    adjusted = []
    for network in networks:
        adjustment = row.adjustments[str(network.seed)]
        shares = [adjustment.class_priors[name] for name in network.labels.names(FOCUS.name)]
        adjusted.append(adjust(network, np.array(shares), adjustment.tau, adjustment.temperature))
    return adjusted


def _aligned(common: dict[str, tuple[Networks, Networks]]) -> dict[str, tuple[Networks, Networks]]:
    """Return the predictions with the same face in row *i* of each."""
    aligned = iter(align([network for sides in common.values() for side in sides for network in side]))
    return {
        title: ([next(aligned) for _ in before], [next(aligned) for _ in after])
        for title, (before, after) in common.items()
    }


def _changes(
    common: dict[str, tuple[Networks, Networks]],
    averaged: Mapping[str, tuple[bool, ...]],
    resamples: int,
    confidence: float,
) -> dict[tuple[str, str], tuple[float, float, float]]:
    """Return second minus first with its interval, by row and metric; ``averaged`` says which rows are ensembles."""
    faces = next(iter(common.values()))[0][0]
    observed = Weighting.observed(faces)
    shares: npt.NDArray[np.float64] = np.bincount(faces.cells(), minlength=faces.labels.cell_count) / len(faces)
    found = {}
    with Weighting.bootstrap(faces, resamples, seed=0) as resampled:

        def score(networks: Networks, run: str, *, is_ensemble: bool) -> Scored:
            score_row = score_ensemble if is_ensemble else score_seeds
            # Each run has trained networks of its own, whatever their variant and seed are called.
            return score_row(networks, observed, resampled, shares, confidence, run)

        for title, sides in common.items():
            before, after = (
                score(networks, run, is_ensemble=is_ensemble)
                for networks, run, is_ensemble in zip(sides, ("first", "second"), averaged[title], strict=True)
            )
            for metric in switched_on(MAIN, faces.labels):
                estimate = difference(after, before, metric)
                found[title, metric] = (float(estimate.value), float(estimate.low), float(estimate.high))
    return found


def _value(row: Row | None, metric: Metric) -> float | None:
    value = row.scalar(metric).value if row is not None and metric.output in row.learned else None
    return None if value is None or math.isnan(value) else value
