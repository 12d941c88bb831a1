"""Challenger and champion on the same test faces: every number that a policy may ask for, paired."""

import math
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from components.evaluation.bootstrap import Weighting
from components.evaluation.catalogue import CATALOGUE, GROUPED, MAIN, Better, switched_on
from components.evaluation.paired import Pairing, paired_tests
from components.evaluation.predictions import Predictions, align
from components.evaluation.scoring import Scored, View, difference, score_seeds
from components.promote.settings import PromotionSettings
from components.registries.contract import Measurement


class Scorer(Protocol):
    """Scores a model on the current test set."""

    def __call__(self, folder: str) -> Predictions:
        """Return what the model in a folder predicts for the test faces, through its served signature.

        Raises:
            ArtifactError: If the model can't be loaded or gives no usable answers.
        """


def measure(challenger: Predictions, champion: Predictions | None, settings: PromotionSettings) -> list[Measurement]:
    """Return the numbers of both models and their differences.

    Both are single networks, those that are or would be served, so the intervals are over other test faces.

    Args:
        challenger: On the test faces.
        champion: On the same ones; None where the models can't be compared.
        settings: Primary metric, resamples, permutations, confidence and seed.

    Raises:
        DataError: If the predictions are for different faces.
    """
    named = {"challenger": challenger} if champion is None else {"challenger": challenger, "champion": champion}
    # One seed for both, and two names: they are different networks, paired by face.
    aligned = align([replace(run, variant=name, seed=0) for name, run in named.items()])
    first = aligned[0]
    sizes = np.bincount(first.cells(), minlength=first.labels.cell_count)
    observed = Weighting.observed(first)
    with Weighting.bootstrap(first, settings.resamples, settings.seed) as resampled:
        scored = [score_seeds([run], observed, resampled, sizes / len(first), settings.confidence) for run in aligned]
    overall = dict.fromkeys([settings.policy.primary_metric, *switched_on(MAIN, first.labels)])
    grouped = switched_on(GROUPED, first.labels)
    groups = [name for name, metric in grouped.items() if metric.better is not Better.ZERO]
    pairs = [(name, View.OVERALL) for name in overall] + [(name, View.WORST_GROUP) for name in groups]
    measured = [_measurement(name, view, *scored) for name, view in pairs]
    if champion is None:
        return measured
    pairing = Pairing(CATALOGUE[settings.policy.primary_metric], [aligned[0]], [aligned[1]])
    # The p-value over seeds is for rows of several networks.
    [test] = paired_tests([pairing], [1.0], settings.permutations, settings.seed)
    return [measured[0].model_copy(update={"p": test.p}), *measured[1:]]


def _measurement(name: str, view: View, challenger: Scored, champion: Scored | None = None) -> Measurement:
    alone = Measurement(
        metric=name,
        scope="worst group" if view is View.WORST_GROUP else "overall",
        challenger=_number(challenger.mean(name, view)),
    )
    if champion is None:
        return alone
    change = difference(challenger, champion, name, view)
    ends = {"difference": change.value, "low": change.low, "high": change.high}
    numbers = {"champion": champion.mean(name, view), **ends}
    return alone.model_copy(update={key: _number(value) for key, value in numbers.items()})


def _number(value: npt.NDArray[np.float64]) -> float | None:
    # As in the comparison: six decimals, and None for what is undefined.
    return round(float(value), 6) if math.isfinite(value) else None
