"""How far predicted probabilities can be believed, and what corrects them.

The expected calibration error of Guo et al. 2017 (arXiv 1706.04599): faces are sorted by confidence, cut into bins of
equal weight, and the distances between mean confidence and accuracy are averaged. Bins of equal weight rather than
width, so that no bin rests on a handful of faces; the error is still biased upwards, by about
0.4 / sqrt(faces of a bin), which is why groups get fewer bins.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax

from components.dataset.outputs import Kind, Output
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]

_BINS, _BINS_OF_GROUP = 15, 5

_COLDEST, _HOTTEST = 0.05, 20.0

_SMALLEST = 1e-12


@dataclass(frozen=True)
class Reliability:
    """Confidence against accuracy in bins of equal weight, by ascending confidence; all of shape ``[bins]``."""

    confidence: Floats
    accuracy: Floats
    weight: Floats

    @property
    def error(self) -> float:
        """The expected calibration error; NaN without faces."""
        if not self.weight.sum():
            return float("nan")
        return float(np.average(np.abs(self.confidence - self.accuracy), weights=self.weight))


def confidences(predictions: Predictions, output: Output) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Return the probability of each predicted class, shape ``[faces]``, and whether that class is the true one."""
    faces = predictions.faces
    right = (faces[output.predicted] == faces[output.name]).to_numpy(np.bool_)
    if output.kind is Kind.BINARY:
        second = faces[output.probability].to_numpy(np.float64)
        return np.maximum(second, 1 - second), right
    return predictions.probabilities(output).max(axis=1), right


def reliability(
    confidence: Floats, right: npt.NDArray[np.bool_], weights: Floats, *, of_group: bool = False
) -> Reliability:
    """Return the reliability of answers.

    Args:
        confidence: Probability of each predicted class, shape ``[faces]``.
        right: Whether it is the true class, same shape.
        weights: What each face counts, same shape; a face of weight 0 is left out.
        of_group: Whether these are the few faces of one group, which get 5 bins instead of 15.
    """
    order = np.argsort(confidence, kind="stable")
    order = order[weights[order] > 0]
    if not len(order):
        empty = np.zeros(0)
        return Reliability(empty, empty, empty)
    weight = weights[order]
    bins = min(_BINS_OF_GROUP if of_group else _BINS, len(order))
    middle = (np.cumsum(weight) - weight / 2) / weight.sum()
    places = np.minimum((middle * bins).astype(np.int64), bins - 1)
    total = np.bincount(places, weight, bins)
    kept = total > 0
    means = [np.bincount(places, weight * each[order], bins)[kept] / total[kept] for each in (confidence, right)]
    return Reliability(means[0], means[1], np.asarray(total[kept], np.float64))


@dataclass(frozen=True)
class Calibration:
    """A correction of one network's probabilities, fitted on validation faces.

    Attributes:
        temperature: What the logits are divided by; above 1 the network was too sure of itself.
        carried: Class shares that the corrected probabilities still carry, shape ``[classes]``, sum 1: those of the
            validation faces where the network is calibrated on them, others where a cure has moved its answers.
    """

    temperature: float
    carried: Floats


def fit_temperature(log_probabilities: Floats, truth: npt.NDArray[np.integer]) -> float:
    """Return the temperature with the least mean negative log-likelihood, between 1/20 and 20 (Guo et al. 2017).

    Args:
        log_probabilities: Shape ``[faces, classes]``.
        truth: True class of each face, shape ``[faces]``.
    """
    rows = np.arange(len(truth))

    def loss(log_temperature: float) -> float:
        return float(-log_softmax(log_probabilities / np.exp(log_temperature), axis=1)[rows, truth].mean())

    bounds = (np.log(_COLDEST), np.log(_HOTTEST))
    return float(np.exp(minimize_scalar(loss, bounds=bounds, method="bounded", options={"xatol": 1e-6}).x))


def fit_calibration(probabilities: npt.ArrayLike, truth: npt.NDArray[np.integer]) -> Calibration | None:
    """Fit the temperature first, then the class shares that the probabilities carry.

    With the temperature fixed, the offsets b of the most likely model softmax(log p / T + b) are those under which
    the mean probability of each class equals its share of the faces; the shares carried are proportional to
    share · exp(−b) (bias-corrected temperature scaling, Alexandari et al. 2020, arXiv 1901.06852).

    Args:
        probabilities: Shape ``[faces, classes]``.
        truth: True class of each face, shape ``[faces]``.

    Returns:
        None if a class has no face: nothing can then be learnt about it.
    """
    given = np.asarray(probabilities, np.float64)
    classes = given.shape[1]
    counts = np.bincount(truth, minlength=classes)
    if (counts == 0).any():
        return None
    logs = np.log(np.maximum(given, _SMALLEST))
    temperature = fit_temperature(logs, truth)
    scaled, shares = logs / temperature, counts / counts.sum()

    def loss(free: Floats) -> tuple[float, Floats]:
        offsets = np.append(free, 0.0)
        normalised = log_softmax(scaled + offsets, axis=1)
        likelihood = normalised[np.arange(len(truth)), truth].mean()
        return float(-likelihood), (np.exp(normalised).mean(axis=0) - shares)[:-1]

    found = minimize(loss, np.zeros(classes - 1), jac=True, method="BFGS", options={"gtol": 1e-8})
    carried = shares * np.exp(-np.append(found.x, 0.0))
    return Calibration(temperature, carried / carried.sum())
