"""Confidence intervals by stratified paired bootstrap.

Faces are drawn with replacement within each gender × ethnicity × age-bin cell, as the test set
itself was drawn, and the same draws serve every network, so that differences between networks are
paired by face (Efron and Tibshirani 1993, chapters 8 and 13). Intervals are percentiles. From a cell
of n faces n − 1 are drawn, each counting n / (n − 1): drawing n would give only (n − 1) / n of the
variance, 10 % too little with ten faces in a cell and a third with three (Rao and Wu 1988,
doi 10.1080/01621459.1988.10478591). A face alone in its cell shows no spread: such cells are collapsed with their
neighbours in age, of the same gender and ethnicity, which errs on the safe side (Cochran 1977, section 5A.12).

With several seeds, a metric is averaged over the seeds *within* each resample. By themselves such replicates say how
sure the average of these trained networks is, over other test faces; :mod:`components.evaluation.seeds` adds what other
seeds would change.

The table of draws, resamples × faces, would fill the memory where there are many faces. It is made once, cell
after cell, kept in a temporary file, and read in blocks of resamples for each network.
"""

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import IO, Any

import numpy as np
import numpy.typing as npt

from components.dataset.labels import Labels
from components.evaluation.blocks import row_blocks
from components.evaluation.frame import ErrorQuantiles, MetricFrame, face_features, frame_from_sums
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]
Draws = npt.NDArray[np.unsignedinteger[Any]]


@dataclass(frozen=True)
class Strata:
    """The cells of one test set's faces.

    Attributes:
        order: The faces cell after cell, shape ``[faces]``; within a cell in their own order.
        sizes: Faces of each cell, shape ``[cells]``.
        labels: Class and age-bin names, which give the shape of the cells.
    """

    order: npt.NDArray[np.int64]
    sizes: npt.NDArray[np.int64]
    labels: Labels

    @classmethod
    def of(cls, cells: npt.NDArray[np.int64], labels: Labels) -> "Strata":
        """Return the strata of faces whose cells, shape ``[faces]``, are given."""
        return cls(np.argsort(cells, kind="stable"), np.bincount(cells, minlength=labels.cell_count), labels)

    def strata(self) -> Iterator[list[int]]:
        """Yield the cells of each stratum: every cell with several faces, then runs of cells with a single one.

        A run is two neighbouring cells of one gender × ethnicity group, or three where the group has an odd number of
        them; a cell without such a neighbour is a stratum by itself.
        """
        yield from ([cell] for cell in np.flatnonzero(self.sizes > 1).tolist())
        bins = self.labels.cell_shape[-1]
        alone = np.flatnonzero(self.sizes == 1)
        for group in np.unique(alone // bins):
            cells = alone[alone // bins == group].tolist()
            starts = range(0, max(len(cells) - 1, 1), 2)
            yield from (cells[start : start + 2] if start != starts[-1] else cells[start:] for start in starts)

    def places(self) -> Iterator[tuple[int, slice]]:
        """Yield each cell that has faces, with the place of its faces in ``order``."""
        stops = np.cumsum(self.sizes)
        for cell in np.flatnonzero(self.sizes).tolist():
            yield cell, slice(int(stops[cell] - self.sizes[cell]), int(stops[cell]))


class StoredDraws:
    """How often each face is drawn in each stratified resample, kept in a file.

    Of the n faces of a stratum n − 1 are drawn with replacement; a face alone in its stratum is drawn once.
    Iterating yields blocks of shape ``[resamples of the block, faces]``, the faces in the order of the strata.

    Args:
        file: An empty file, open for reading and writing for as long as the draws are used.
        strata: Cells of the faces.
        resamples: Number of resamples.
        seed: Seed of the draws.
    """

    def __init__(self, file: IO[bytes], strata: Strata, resamples: int, seed: int) -> None:
        self._file = file
        self._strata = strata
        self._resamples = resamples
        # No face is drawn more often than its stratum draws: at most twice of three that are alone in their cells.
        self._type = np.min_scalar_type(max(int(strata.sizes.max()) - 1, 2))
        generator = np.random.default_rng(seed)
        places = dict(strata.places())
        for cells in strata.strata():
            size = sum(int(strata.sizes[cell]) for cell in cells)
            chances = np.full(size, 1 / size)
            for rows in row_blocks(resamples, size):
                count = rows.stop - rows.start
                draws = generator.multinomial(size - 1, chances, count) if size > 1 else np.ones((count, 1))
                for cell, drawn in zip(cells, np.hsplit(draws, len(cells)), strict=True):
                    file.seek(self._offset(places[cell], rows.start))
                    file.write(np.ascontiguousarray(drawn, self._type).data)

    def __iter__(self) -> Iterator[Draws]:
        """Read the table, block after block."""
        faces = len(self._strata.order)
        for rows in row_blocks(self._resamples, faces):
            count = rows.stop - rows.start
            block = np.empty((count, faces), self._type)
            for _, place in self._strata.places():
                size = place.stop - place.start
                self._file.seek(self._offset(place, rows.start))
                stored = np.frombuffer(self._file.read(count * size * self._type.itemsize), self._type)
                block[:, place] = stored.reshape(count, size)
            yield block

    def _offset(self, place: slice, row: int) -> int:
        """Return where the draws of a cell's faces in a resample and those after it are in the file, in bytes."""
        size = place.stop - place.start
        return int((place.start * self._resamples + row * size) * self._type.itemsize)


@dataclass(frozen=True)
class Weighting:
    """Weightings of one test set's faces that keep the number of faces in each cell.

    Attributes:
        strata: Cells of the faces.
        draws: How often each face is drawn, in blocks of shape ``[weightings, faces]``, the faces in the order
            of the strata; read once for each network.
        worth: What one draw of a face counts in each cell, shape ``[cells]``.
    """

    strata: Strata
    draws: Iterable[Draws]
    worth: Floats

    @classmethod
    def observed(cls, predictions: Predictions) -> "Weighting":
        """Return the one weighting in which every face counts once: it gives the estimates."""
        strata = Strata.of(predictions.cells(), predictions.labels)
        return cls(strata, [np.ones((1, len(predictions)), np.uint8)], np.ones(strata.labels.cell_count))

    @classmethod
    @contextmanager
    def bootstrap(cls, predictions: Predictions, resamples: int, seed: int) -> Iterator["Weighting"]:
        """Give the weightings of a stratified bootstrap of the test faces, for as long as the context lasts.

        Of the n faces of a stratum n − 1 are drawn with replacement, each counting n / (n − 1), so that the faces
        of a stratum count n in all. A face alone in its stratum counts once and adds no variance.
        """
        strata = Strata.of(predictions.cells(), predictions.labels)
        with tempfile.TemporaryFile() as file:
            draws = StoredDraws(file, strata, resamples, seed)
            worth = np.ones(strata.labels.cell_count)
            for cells in strata.strata():
                size = strata.sizes[cells].sum()
                worth[cells] = size / max(size - 1, 1)
            yield cls(strata, draws, worth)

    def score(self, predictions: Predictions, shares: Floats) -> Iterator[MetricFrame]:
        """Yield every metric of one network, a block of weightings at a time; they are the first axis.

        Args:
            predictions: Predictions for the faces of the strata, in the same order.
            shares: Share of each cell in the natural population, shape ``[cells]``; 0 where the test set
                has no face.
        """
        labels = self.strata.labels
        sizes = self.strata.sizes.astype(np.float64)
        weights = np.divide(shares, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        features = face_features(predictions)[self.strata.order]
        quantiles = ErrorQuantiles(features, labels)
        cells = np.repeat(np.arange(len(sizes)), self.strata.sizes)
        worths = [self.worth[cells], (self.worth * weights)[cells]]
        for draws in self.draws:
            sums = self._sums(draws, features)
            of_tested, of_natural = quantiles.of(draws, worths)
            tested = frame_from_sums(sums, sizes, labels, of_tested)
            natural = frame_from_sums(sums * weights[:, None], shares, labels, of_natural)
            yield replace(tested, natural=natural.overall)

    def _sums(self, draws: Draws, features: Floats) -> Floats:
        """Sum the features per weighting and cell, shape ``[weightings, cells, features]``."""
        sums = np.zeros((len(draws), len(self.worth), features.shape[1]))
        for cell, place in self.strata.places():
            sums[:, cell] = draws[:, place].astype(np.float64) @ features[place] * self.worth[cell]
        return sums


def percentile_interval(values: Floats, confidence: float) -> tuple[Floats, Floats]:
    """Return the lower and upper end of the percentile interval, each of shape ``[...]``.

    Args:
        values: A metric in every resample, shape ``[resamples, ...]``. If undefined in any, the ends are NaN.
        confidence: Share that the interval covers, such as 0.95.
    """
    tail = (1 - confidence) / 2
    low, high = np.quantile(values, (tail, 1 - tail), axis=0)
    return low, high
