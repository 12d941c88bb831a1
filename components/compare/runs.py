"""The runs of a comparison: what each trained network predicts, and how it was trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from components.dataset.manifest import Manifest
from components.dataset.outputs import FOCUS
from components.errors import DataError
from components.evaluation.predictions import Predictions, align
from components.imbalance.posthoc import adjust_probabilities
from components.training.record import TrainingRecord

POSTHOC = "+posthoc"
"""Suffix of a post-hoc row, after the name of its variant."""

Priors = dict[int, tuple[float, ...]]
"""Class shares that the probabilities of each seed's network carry, in the order of the classes."""


@dataclass(frozen=True)
class Run:
    """One trained network and what it predicts.

    Attributes:
        predictions: On the test faces.
        record: How it was trained.
        history: Its training history, one row per epoch.
    """

    predictions: Predictions
    record: TrainingRecord
    history: pd.DataFrame


def group_runs(runs: Sequence[Run], test: Manifest) -> dict[str, dict[int, Run]]:
    """Return the runs by variant (in order of first appearance) and seed (ascending), aligned by face.

    Raises:
        DataError: If there are no runs, a run appears twice, or a run is not on the test faces.
    """
    if not runs:
        raise DataError("There are no runs to compare", remedy="train and evaluate at least one variant")
    aligned = align([run.predictions for run in runs])
    if set(aligned[0].faces["image_id"]) != set(test.faces["image_id"]):
        remedy = "evaluate the runs on this test set"
        raise DataError("The predictions are not for the faces of the test set", remedy=remedy)
    grouped: dict[str, dict[int, Run]] = {}
    for run, predictions in zip(runs, aligned, strict=True):
        by_seed = grouped.setdefault(predictions.variant, {})
        if predictions.seed in by_seed:
            problem = f"The variant {predictions.variant} appears twice with seed {predictions.seed}"
            raise DataError(problem, remedy="name each run once")
        by_seed[predictions.seed] = replace(run, predictions=predictions)
    return {variant: dict(sorted(by_seed.items())) for variant, by_seed in grouped.items()}


def output_priors(group: Mapping[int, Run]) -> Priors | None:
    """Return the class shares that post-hoc adjustment has to divide out of a variant's probabilities.

    Weights and logit adjustment may have corrected part of the training priors already; what is left are
    the ``output_priors`` that the training plan computed. None where adjustment is pointless or impossible:
    the shares are equal, a share is zero, or they are unknown.
    """
    priors: Priors = {}
    for seed, run in group.items():
        named = run.record.statistics.output_priors[FOCUS.name]
        if named is None:
            return None
        shares = tuple(named[name] for name in run.predictions.labels.names(FOCUS.name))
        if min(shares) <= 0 or np.ptp(shares) < 1e-6:
            return None
        priors[seed] = shares
    return priors


def adjust_runs(group: Mapping[int, Run], priors: Priors, tau: float) -> list[Predictions]:
    """Return a variant's predictions after post-hoc logit adjustment, computed from the saved probabilities."""
    adjusted = []
    for seed, run in group.items():
        predictions = run.predictions
        probabilities = adjust_probabilities(predictions.probabilities(FOCUS), np.asarray(priors[seed]), tau)
        adjusted.append(predictions.with_probabilities(FOCUS, probabilities, f"{predictions.variant}{POSTHOC}"))
    return adjusted
