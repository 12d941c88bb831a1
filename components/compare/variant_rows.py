"""The rows of variants, trained and post-hoc adjusted: their numbers and how they came about."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.compare.rows import (
    age_error_by_age,
    describe_faces,
    differences,
    example_rows,
    metric_values,
    number,
    numbers,
    worst_errors,
)
from components.compare.runs import Priors, Run
from components.compare.settings import ComparisonSettings
from components.dataset.labels import Labels
from components.evaluation.scoring import Scored
from components.imbalance.registry import SLOTS, VARIANTS


@dataclass(frozen=True)
class RowBuilder:
    """Builds the rows of one comparison.

    Attributes:
        labels: Names of the classes and age bins.
        reference: The reference variant's scores, or None when it has no results.
        settings: Which faces to show, and how many.
    """

    labels: Labels
    reference: Scored | None
    settings: ComparisonSettings

    def trained(self, group: Mapping[int, Run], scored: Scored, missing_seeds: Sequence[int]) -> dict[str, Any]:
        """Return the row of a trained variant.

        Args:
            group: Its runs by seed.
            scored: Its scores.
            missing_seeds: Seeds that were asked for and gave no results.
        """
        first = next(iter(group.values()))
        name = first.predictions.variant
        known = VARIANTS.get(name)
        return {
            "title": first.about.get("title") or (known.title if known else name),
            "kind": "trained",
            "source": known.source if known else "",
            "cures": {slot: known.cure(slot) for slot in SLOTS} if known else {},
            "status": "incomplete" if missing_seeds else "complete",
            "seeds": scored.seeds,
            "missing_seeds": list(missing_seeds),
            **self._numbers(scored),
            **_training(group, self.labels),
        }

    def posthoc(self, trained: Mapping[str, Any], scored: Scored, priors: Priors, derived_from: str) -> dict[str, Any]:
        """Return the row of a variant after post-hoc adjustment.

        Args:
            trained: The variant's own row.
            scored: The scores after adjustment.
            priors: What was taken off, by seed.
            derived_from: Name of the variant.
        """
        shares = np.mean(list(priors.values()), axis=0)
        return {
            **trained,
            "title": f"{trained['title']}, post-hoc adjusted",
            "kind": "posthoc",
            "derived_from": derived_from,
            "tau": self.settings.posthoc.tau,
            **self._numbers(scored),
            # Nothing was trained for this row.
            "train_seconds": 0.0,
            "train_seconds_by_seed": dict.fromkeys(trained["train_seconds_by_seed"], 0.0),
            "history": {},
            "class_priors": dict(zip(self.labels.ethnicities, numbers(shares), strict=True)),
        }

    def _numbers(self, scored: Scored) -> dict[str, Any]:
        first = scored.predictions[scored.seeds[0]]
        shown = example_rows(first, self.settings.examples, self.settings.seed)
        reference = None if scored is self.reference else self.reference
        return {
            **metric_values(scored, self.labels),
            "difference_to_reference": differences(scored, reference, self.labels) if reference else None,
            "age_error_by_age": age_error_by_age(scored),
            "examples": describe_faces(first, shown),
            "worst_errors": worst_errors(scored, self.settings.examples),
        }


def _training(group: Mapping[int, Run], labels: Labels) -> dict[str, Any]:
    """How a variant was trained, as its ``variant.json`` files say."""
    abouts = {str(seed): run.about for seed, run in group.items()}
    first = next(iter(abouts.values()))
    seconds = {seed: float(about.get("train_seconds", 0.0)) for seed, about in abouts.items()}
    priors = first.get("class_priors", [])
    return {
        "epochs_run": {seed: about.get("epochs_run") for seed, about in abouts.items()},
        "best_epoch": {seed: about.get("best_epoch") for seed, about in abouts.items()},
        "train_seconds": number(sum(seconds.values()) / len(seconds)),
        "train_seconds_by_seed": seconds,
        "train_faces": first.get("train_faces"),
        "validation_faces": first.get("validation_faces"),
        "parameters": first.get("parameters"),
        "hyperparameters": first.get("hyperparameters", {}),
        "class_priors": dict(zip(labels.ethnicities, priors, strict=True)) if priors else {},
        "statistics": {seed: about.get("statistics", {}) for seed, about in abouts.items()},
        "history": {str(seed): _columns(run.history) for seed, run in group.items() if run.history is not None},
    }


def _columns(history: pd.DataFrame) -> dict[str, list[Any]]:
    """The training history, one list per column."""
    return {str(name): _values(history[name].to_numpy()) for name in history.columns}


def _values(column: npt.NDArray[Any]) -> list[Any]:
    values: list[Any] = column.tolist() if np.issubdtype(column.dtype, np.integer) else numbers(column)
    return values
