"""The metrics of one row within each gender × ethnicity × age-bin cell."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from components.compare.contract import Number
from components.compare.measures import numbers
from components.dataset.outputs import CLASSIFIED, OUTPUTS
from components.evaluation.catalogue import CATALOGUE
from components.evaluation.predictions import Predictions

_AGE = OUTPUTS["age"]


def _right(name: str) -> Callable[[Predictions], npt.NDArray[np.float64]]:
    output = CLASSIFIED[name]

    def right(run: Predictions) -> npt.NDArray[np.float64]:
        return np.asarray(run.faces[output.predicted] == run.faces[output.name], np.float64)

    return right


CELL_METRICS: Mapping[str, Callable[[Predictions], npt.NDArray[np.float64]]] = {
    f"{_AGE.name}_mae": lambda run: np.abs(run.errors(_AGE)),
    **{f"{name}_accuracy": _right(name) for name in CLASSIFIED},
}
"""By metric: its value for each face, whose mean in a cell is the cell's."""


def measure_cells(by_seed: Sequence[Predictions]) -> dict[str, list[Number]]:
    """Return each of :data:`CELL_METRICS` in each cell, as a mean over the seeds; None for a cell without a face.

    Args:
        by_seed: Predictions of each seed, at least one, all for the same faces in the same order.
    """
    cells, count = by_seed[0].cells(), by_seed[0].labels.cell_count
    faces = np.bincount(cells, minlength=count)

    def mean(of_face: Callable[[Predictions], npt.NDArray[np.float64]]) -> list[Number]:
        totals = np.bincount(cells, np.mean([of_face(run) for run in by_seed], axis=0), count)
        means: list[Number] = numbers(np.divide(totals, faces, out=np.full(count, np.nan), where=faces > 0))
        return means

    outputs = by_seed[0].labels.outputs
    return {metric: mean(of_face) for metric, of_face in CELL_METRICS.items() if CATALOGUE[metric].output in outputs}
