"""The rows of variants, trained and post-hoc adjusted: their numbers and how they came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.compare.calibration import describe_calibration
from components.compare.cells import measure_cells
from components.compare.contract import Adjustment, Number, Row
from components.compare.galleries import describe_faces, example_rows, worst_errors
from components.compare.grounds import find_learned
from components.compare.measures import differences, error_boxes, error_by_age, measure, number, numbers
from components.compare.runs import Adjusted, Answers, Networks, Run
from components.compare.settings import CompareSettings
from components.dataset.labels import Labels
from components.dataset.outputs import FOCUS
from components.evaluation.predictions import Predictions, average
from components.evaluation.scoring import Scored


@dataclass(frozen=True)
class RowBuilder:
    """Builds the rows of one comparison.

    Attributes:
        labels: Names of the classes.
        dummy: Scores of the constant predictor.
        shares: Share of each cell in the natural population.
        settings: How the runs are compared.
    """

    labels: Labels
    dummy: Scored
    shares: npt.NDArray[np.float64]
    settings: CompareSettings

    def trained(
        self, networks: Networks, scored: Scored, reference: Scored | None, missing_seeds: Sequence[int]
    ) -> Row:
        """Return the row of a trained variant; ``missing_seeds`` gave no results."""
        record = networks.first.record
        return Row(
            title=record.title,
            kind="trained",
            source=record.source,
            cures={slot: "+".join(names) or "none" for slot, names in record.cures.items()},
            status="incomplete" if missing_seeds else "complete",
            seeds=scored.seeds,
            missing_seeds=list(missing_seeds),
            **self._numbers(scored, reference, networks.rows[0].validation),
            **_training(networks.runs, self.labels),
        )

    def posthoc(self, trained: Row, adjusted: Adjusted, scored: Scored, reference: Scored | None) -> Row:
        """Return the row of a variant after post-hoc adjustment, from the variant's own row and the new scores."""
        found = adjusted.calibrations.values()
        shares = np.mean([calibration.carried for calibration in found], axis=0)
        changes = {
            "title": f"{trained.title}, post-hoc adjusted",
            "kind": "posthoc",
            "derived_from": scored.networks,
            "tau": self.settings.posthoc.tau,
            "temperature": number(float(np.mean([calibration.temperature for calibration in found]))),
            "adjustments": {
                str(seed): Adjustment(
                    tau=self.settings.posthoc.tau,
                    temperature=calibration.temperature,
                    class_priors=dict(zip(self.labels.names(FOCUS.name), calibration.carried.tolist(), strict=True)),
                )
                for seed, calibration in adjusted.calibrations.items()
            },
            **self._numbers(scored, reference, adjusted.validation),
            **_nothing_trained(trained),
            "class_priors": dict(zip(self.labels.names(FOCUS.name), numbers(shares), strict=True)),
        }
        return trained.model_copy(update=changes)

    def ensemble(self, name: str, averaged: Row, answers: Answers, scored: Scored, reference: Scored | None) -> Row:
        """Return the row of the one model that averages the networks of a row.

        Args:
            name: The variant's name.
            averaged: The row whose networks are averaged.
            answers: What its networks answer.
            scored: The ensemble's scores.
            reference: Those of the reference.
        """
        changes = {
            "title": f"{averaged.title}, mean of {len(scored.seeds)} networks",
            "kind": "ensemble",
            "derived_from": name,
            "averaged": answers.averaged,
            **self._numbers(scored, reference, [average(answers.validation)]),
            **_nothing_trained(averaged),
        }
        return averaged.model_copy(update=changes)

    def _numbers(self, scored: Scored, reference: Scored | None, validation: Sequence[Predictions]) -> dict[str, Any]:
        shown = example_rows(scored.first, self.settings.examples, self.settings.seed)
        compared = None if scored is reference else reference
        return {
            **measure(scored, self.labels),
            "calibration": describe_calibration(list(scored.predictions.values()), validation, self.shares),
            "learned": find_learned(scored, self.dummy),
            "difference_to_reference": differences(scored, compared, self.labels) if compared else None,
            **_age_errors(scored, self.labels),
            "examples": describe_faces(scored.first, shown),
            "worst_errors": worst_errors(scored, self.settings.examples),
            "cells": measure_cells(list(scored.predictions.values())),
        }


def _nothing_trained(trained: Row) -> dict[str, Any]:
    """Return what a row has that derives from a trained one."""
    seconds = dict.fromkeys(trained.train_seconds_by_seed, 0.0)
    return {"train_seconds": 0.0, "train_seconds_by_seed": seconds, "history": {}}


def _age_errors(scored: Scored, labels: Labels) -> dict[str, Any]:
    if "age" not in labels.outputs:
        return {}
    return {"age_error_by_age": error_by_age(scored), "age_error_boxes": error_boxes(scored, labels)}


def _training(group: Mapping[int, Run], labels: Labels) -> dict[str, Any]:
    """How a variant was trained, according to the records of its runs."""
    records = {str(seed): run.record for seed, run in group.items()}
    first = next(iter(records.values()))
    seconds = {seed: record.train_seconds for seed, record in records.items()}
    return {
        "epochs_run": {seed: record.epochs_run for seed, record in records.items()},
        "best_epoch": {seed: record.best_epoch for seed, record in records.items()},
        "train_seconds": number(sum(seconds.values()) / len(seconds)),
        "train_seconds_by_seed": seconds,
        "train_faces": first.train_faces,
        "validation_faces": first.validation_faces,
        "parameters": first.parameters,
        "hyperparameters": first.hyperparameters,
        "class_priors": first.statistics.priors[FOCUS.name],
        "statistics": {seed: record.statistics for seed, record in records.items()},
        "history": {str(seed): _columns(run.history) for seed, run in group.items()},
    }


def _columns(history: pd.DataFrame) -> dict[str, list[Number]]:
    """The training history, one list per column."""
    return {
        str(name): values.tolist() if pd.api.types.is_integer_dtype(values) else numbers(values.to_numpy())
        for name, values in history.items()
    }
