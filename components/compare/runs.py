"""The runs of a comparison: what each trained network predicts, and how it was trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.compare.settings import CompareSettings, PosthocSettings
from components.dataset.manifest import Manifest
from components.dataset.outputs import FOCUS
from components.errors import DataError
from components.evaluation.calibration import Calibration, fit_calibration
from components.evaluation.predictions import Predictions, align
from components.imbalance.posthoc import adjust_probabilities
from components.training.record import TrainingRecord

POSTHOC = "+posthoc"
"""Suffix of a post-hoc row, after the name of its variant."""

ENSEMBLE = "+ensemble"
"""Suffix of the row of an ensemble, after the name of the row whose networks it averages."""

_EQUAL = 1e-6
"""Shares that differ by less are equal."""


@dataclass(frozen=True)
class Run:
    """One trained network and what it predicts.

    Attributes:
        predictions: On the test faces.
        validation: On the validation faces.
        record: How it was trained.
        history: Its training history, one row per epoch.
    """

    predictions: Predictions
    validation: Predictions
    record: TrainingRecord
    history: pd.DataFrame


@dataclass(frozen=True)
class Adjusted:
    """A variant's predictions after post-hoc adjustment.

    Attributes:
        calibrations: What was divided out, by seed.
        predictions: On the test faces, one per seed, ascending.
        validation: On the validation faces, likewise.
    """

    calibrations: Mapping[int, Calibration]
    predictions: list[Predictions]
    validation: list[Predictions]


@dataclass(frozen=True)
class Answers:
    """What the networks behind one row answer.

    Attributes:
        row: Name of the row.
        predictions: On the test faces, one per seed, ascending.
        validation: On the validation faces, likewise.
        averaged: Name of the row whose networks are averaged, if the row is one model that averages them; otherwise
            the row's numbers are means over its networks.
    """

    row: str
    predictions: Sequence[Predictions]
    validation: Sequence[Predictions]
    averaged: str | None = None


@dataclass(frozen=True)
class Networks:
    """The networks of one variant.

    Attributes:
        runs: By seed, ascending.
        adjusted: The same networks with post-hoc adjustment; None where it is switched off, pointless or impossible.
        has_ensembles: Whether their average is a row of its own, adjusted and not.
    """

    runs: Mapping[int, Run]
    adjusted: Adjusted | None
    has_ensembles: bool

    @property
    def first(self) -> Run:
        """The run of the first seed."""
        return next(iter(self.runs.values()))

    @property
    def variant(self) -> str:
        """Name of the variant."""
        return self.first.predictions.variant

    @property
    def rows(self) -> list[Answers]:
        """The variant's rows: trained, adjusted post hoc, and the ensembles of both."""
        runs = self.runs.values()
        rows = [Answers(self.variant, [run.predictions for run in runs], [run.validation for run in runs])]
        if self.adjusted is not None:
            rows.append(Answers(f"{self.variant}{POSTHOC}", self.adjusted.predictions, self.adjusted.validation))
        if self.has_ensembles:
            rows += [Answers(f"{each.row}{ENSEMBLE}", each.predictions, each.validation, each.row) for each in rows]
        return rows


def find_networks(
    runs: Sequence[Run], test: Manifest, validation: Manifest, settings: CompareSettings
) -> dict[str, Networks]:
    """Return the networks by variant, in order of first appearance, all predictions aligned by face.

    Raises:
        DataError: If there are no runs, a run appears twice, or a run is not on the test and validation faces.
    """
    if not runs:
        raise DataError("There are no runs to compare", remedy="train and evaluate at least one variant")
    tested = _aligned([run.predictions for run in runs], test, "test set")
    validated = _aligned([run.validation for run in runs], validation, "validation split")
    grouped: dict[str, dict[int, Run]] = {}
    for run, predictions, on_validation in zip(runs, tested, validated, strict=True):
        by_seed = grouped.setdefault(predictions.variant, {})
        if predictions.seed in by_seed:
            problem = f"The variant {predictions.variant} appears twice with seed {predictions.seed}"
            raise DataError(problem, remedy="name each run once")
        by_seed[predictions.seed] = replace(run, predictions=predictions, validation=on_validation)
    networks = {}
    for variant, by_seed in grouped.items():
        ordered = dict(sorted(by_seed.items()))
        adjusted = _adjust(ordered, settings.posthoc) if settings.posthoc.enabled else None
        networks[variant] = Networks(ordered, adjusted, settings.ensembles and len(ordered) > 1)
    return networks


def _aligned(predictions: Sequence[Predictions], faces: Manifest, name: str) -> list[Predictions]:
    aligned = align(predictions)
    if set(aligned[0].faces["image_id"]) != set(faces.faces["image_id"]):
        remedy = f"evaluate the runs on this {name}"
        raise DataError(f"The predictions are not for the faces of the {name}", remedy=remedy)
    return aligned


def _adjust(runs: Mapping[int, Run], settings: PosthocSettings) -> Adjusted | None:
    """Return a variant's predictions after post-hoc adjustment, computed from the saved probabilities.

    None where adjustment is pointless or impossible: the shares that the cure leaves are known to be equal, a share is
    zero or unknown, or, where they are estimated, a class has no validation face.
    """
    calibrations = {}
    for seed, run in runs.items():
        shares = _known_shares(run)
        if shares is not None and np.ptp(shares) < _EQUAL:
            return None
        if settings.prior == "validation":
            truth = run.validation.faces[FOCUS.name].to_numpy(np.int64)
            found = fit_calibration(run.validation.probabilities(FOCUS), truth)
        else:
            found = None if shares is None or min(shares) <= 0 else Calibration(1.0, shares)
        if found is None:
            return None
        calibrations[seed] = found

    def adjusted(predictions: Predictions) -> Predictions:
        found = calibrations[predictions.seed]
        return adjust(predictions, found.carried, settings.tau, found.temperature)

    return Adjusted(
        calibrations,
        [adjusted(run.predictions) for run in runs.values()],
        [adjusted(run.validation) for run in runs.values()],
    )


def adjust(predictions: Predictions, carried: npt.NDArray[np.float64], tau: float, temperature: float) -> Predictions:
    """Return predictions after post-hoc adjustment.

    Args:
        predictions: Of one network.
        carried: Class shares that its probabilities carry, shape ``[classes]``.
        tau: Strength of the adjustment.
        temperature: What its logits are divided by first.
    """
    probabilities = adjust_probabilities(predictions.probabilities(FOCUS), carried, tau, temperature)
    # In the precision that a model serves: what is judged is what is shipped, ties included.
    return predictions.with_probabilities(FOCUS, probabilities.astype(np.float32), f"{predictions.variant}{POSTHOC}")


def _known_shares(run: Run) -> npt.NDArray[np.float64] | None:
    """Return the class shares that follow from the training faces and the cure, ``output_priors`` of the plan."""
    named = run.record.statistics.output_priors[FOCUS.name]
    return None if named is None else np.array([named[name] for name in run.predictions.labels.names(FOCUS.name)])
