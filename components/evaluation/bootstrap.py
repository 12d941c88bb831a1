"""Confidence intervals by stratified paired bootstrap.

Faces are drawn with replacement within each gender × ethnicity × age-bin cell, as the test set
itself was drawn, and the same draws serve every network, so that differences between networks are
paired by face (Efron and Tibshirani 1993, chapters 8 and 13). Intervals are percentiles. From a cell
of n faces n − 1 are drawn, each counting n / (n − 1): drawing n would give only (n − 1) / n of the
variance, 10 % too little with ten faces in a cell and a third with three (Rao and Wu 1988,
doi 10.1080/01621459.1988.10478591).

With several seeds, a metric is averaged over the seeds *within* each resample. Such an interval
says how sure the average of these trained networks is, over other test faces; it is conditional on
the seeds. How much another seed would change it is the standard deviation over the seeds.
"""

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from components.dataset.labels import Labels
from components.evaluation.frame import MetricFrame, error_quantiles, face_features, frame_from_sums
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]


def resample_counts(cells: npt.NDArray[np.integer], resamples: int, seed: int) -> Floats:
    """Return how often each face counts in each stratified resample, shape ``[resamples, faces]``.

    Of the n faces of a cell n − 1 are drawn with replacement, each counting n / (n − 1), so that a row
    sums to n within every cell. A face alone in its cell counts once and adds no variance.

    Args:
        cells: Cell of each face, shape ``[faces]``.
        resamples: Number of resamples.
        seed: Seed of the draws.
    """
    generator = np.random.default_rng(seed)
    counts = np.ones((resamples, len(cells)))
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        size = len(members)
        if size > 1:
            draws = generator.multinomial(size - 1, np.full(size, 1 / size), resamples)
            counts[:, members] = draws * (size / (size - 1))
    return counts


@dataclass(frozen=True)
class Weighting:
    """Weightings of one test set's faces that keep the number of faces in each cell.

    Attributes:
        counts: How often each face counts, shape ``[weightings, faces]``.
        cells: Cell of each face, shape ``[faces]``.
        labels: Class and age-bin names, which give the shape of the cells.
    """

    counts: Floats
    cells: npt.NDArray[np.int64]
    labels: Labels

    @classmethod
    def observed(cls, predictions: Predictions) -> "Weighting":
        """Return the one weighting in which every face counts once: it gives the estimates."""
        return cls(np.ones((1, len(predictions))), predictions.cells(), predictions.labels)

    @classmethod
    def bootstrap(cls, predictions: Predictions, resamples: int, seed: int) -> "Weighting":
        """Return the weightings of a stratified bootstrap of the test faces."""
        cells = predictions.cells()
        return cls(resample_counts(cells, resamples, seed), cells, predictions.labels)

    def score(self, predictions: Predictions, shares: Floats) -> MetricFrame:
        """Return every metric of one network under each weighting; the weightings are the first axis.

        Args:
            predictions: Predictions for the faces of this weighting, in the same order.
            shares: Share of each cell in the natural population, shape ``[cells]``; 0 where the test set
                has no face.
        """
        features = face_features(predictions)
        sums = self._sums(features)
        sizes = np.bincount(self.cells, minlength=self.labels.cell_count).astype(np.float64)
        tested = frame_from_sums(sums, sizes, self.labels, error_quantiles(features, self.counts, self.labels))
        weights = np.divide(shares, sizes, out=np.zeros_like(sizes), where=sizes > 0)
        quantiles = error_quantiles(features, self.counts * weights[self.cells], self.labels)
        natural = frame_from_sums(sums * weights[:, None], shares, self.labels, quantiles)
        return replace(tested, natural=natural.overall)

    def _sums(self, features: Floats) -> Floats:
        """Sum the features per weighting and cell, shape ``[weightings, cells, features]``."""
        sums = np.zeros((len(self.counts), self.labels.cell_count, features.shape[1]))
        for cell in np.unique(self.cells):
            members = np.flatnonzero(self.cells == cell)
            sums[:, cell] = self.counts[:, members] @ features[members]
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
