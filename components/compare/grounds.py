"""What one set of faces says about the rows: the grounds on which one of them is chosen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from components.compare.contract import Interval, Number
from components.compare.measures import interval, number
from components.compare.settings import CompareSettings
from components.evaluation.bootstrap import percentile_interval
from components.evaluation.catalogue import CATALOGUE, MAIN, switched_on
from components.evaluation.scoring import Change, Scored, View, common_seeds, difference

_UNKNOWN = Interval(value=None, low=None, high=None)


@dataclass(frozen=True)
class Grounds:
    """What one set of faces says about the rows, for choosing one of them.

    Attributes:
        faces: Number of faces.
        effective_faces: Faces of equal weight that would tell as much.
        scores: Primary metric of each seed, by row; without ensembles.
        gains: Gain over the reference in the primary metric, by row; the reference's is 0. Rows that have no seed in
            common with the reference are left out.
        utilities: Gain over the reference in utility, by row.
        losses: Loss against the reference in the main metric of each output, by row and metric.
        between: The paired interval of the primary metric between two rows, the first minus the second.
    """

    faces: int
    effective_faces: Number
    scores: Mapping[str, Mapping[int, Number]]
    gains: Mapping[str, float]
    utilities: Mapping[str, Interval]
    losses: Mapping[str, Mapping[str, Interval]]
    between: Callable[[str, str], Interval]


def find_grounds(scored: Mapping[str, Scored], settings: CompareSettings, view: View, effective: float) -> Grounds:
    """Return what scored faces say about every row that has a seed in common with the reference.

    Args:
        scored: Scores of every row by name, the reference's among them.
        settings: The reference, the primary metric and the utility.
        view: How the faces are weighted: ``OVERALL`` for the test set, ``NATURAL`` for validation faces that were
            scored with the shares of the test set's cells.
        effective: Faces of equal weight that would tell as much.
    """
    rule, reference = settings.recommendation, scored[settings.reference]
    primary = CATALOGUE[rule.primary_metric]
    main = switched_on(MAIN, reference.first.labels)
    worths = {
        name: CATALOGUE[name].better.gain(worth) for name, worth in rule.utility.model_dump(include=set(main)).items()
    }
    rows = {name: row for name, row in scored.items() if common_seeds(row, reference)}

    def gain(row: Scored, metric: str) -> float:
        return CATALOGUE[metric].better.gain(float(Change.of(row, reference, {metric: 1.0}, view).value))

    def loss(row: Scored, metric: str) -> Interval:
        worth = -CATALOGUE[metric].better.gain(1.0)
        return interval(Change.of(row, reference, {metric: worth}, view).estimate())

    def between(first: str, second: str) -> Interval:
        if not common_seeds(scored[first], scored[second]):
            return _UNKNOWN
        return interval(difference(scored[first], scored[second], primary.name, view))

    return Grounds(
        faces=len(reference.first),
        effective_faces=number(effective),
        scores={
            name: {seed: number(float(row.mean(primary.name, view, [seed]))) for seed in row.seeds}
            for name, row in rows.items()
            if not row.is_ensemble
        },
        gains={name: gain(row, primary.name) for name, row in rows.items()},
        utilities={name: interval(Change.of(row, reference, worths, view).estimate()) for name, row in rows.items()},
        losses={name: {metric: loss(row, metric) for metric in main} for name, row in rows.items()},
        between=between,
    )


def balanced_shares(
    cells: npt.NDArray[np.integer], test_cells: npt.NDArray[np.integer], cell_count: int
) -> tuple[npt.NDArray[np.float64], float]:
    """Return the weights that make faces stand for the test set's cells.

    Args:
        cells: Cell of each face, shape ``[faces]``.
        test_cells: Cell of each test face.
        cell_count: Number of cells.

    Returns:
        The weight of each cell, shape ``[cells]``, sum 1, in proportion to its test faces; 0 where there is no face to
        stand for it. And the effective number of faces, (Σ w)² / Σ w² over their weights (Kish 1965).
    """
    sizes = np.bincount(cells, minlength=cell_count)
    wanted = np.where(sizes > 0, np.bincount(test_cells, minlength=cell_count), 0)
    shares = wanted / max(wanted.sum(), 1)
    squares = np.divide(shares**2, sizes, out=np.zeros(cell_count), where=sizes > 0).sum()
    return shares, float(1 / squares) if squares > 0 else 0.0


def find_learned(row: Scored, dummy: Scored) -> dict[str, bool]:
    """Return for each output whether a row's networks are shown to be better than the constant predictor.

    The interval is over other faces for these networks: the question is whether they learned, not whether others would.
    """
    learned = {}
    labels = row.first.labels
    for metric in switched_on(MAIN, labels).values():
        change = row.mean_replicates(metric.name) - dummy.mean_replicates(metric.name)
        ends = [metric.better.gain(float(end)) for end in percentile_interval(change, row.confidence)]
        learned[metric.output] = min(ends) > 0
    return {name: learned[name] for name in labels.outputs}
