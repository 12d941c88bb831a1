"""What the comparison says about the data that the runs were trained and tested on."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from components.compare.rows import group_names, number
from components.dataset.manifest import Manifest
from components.evaluation.natural import NaturalPopulation


@dataclass(frozen=True)
class DataFacts:
    """The data of a comparison.

    Attributes:
        manifest: All faces, before the test set was drawn.
        train: Training faces.
        validation: Validation faces.
        test: Test faces.
        rejected: Number of input files that were not used.
        preprocess_summary: What preprocess counted; its ``steps``, ``before``, ``after``, ``correlation``
            and ``rejects`` are passed on.
        test_set_summary: What build_test_set counted; passed on as it is.
    """

    manifest: Manifest
    train: Manifest
    validation: Manifest
    test: Manifest
    rejected: int = 0
    preprocess_summary: Mapping[str, Any] = field(default_factory=dict)
    test_set_summary: Mapping[str, Any] = field(default_factory=dict)


def describe_data(data: DataFacts, population: NaturalPopulation) -> dict[str, Any]:
    """Return the comparison's ``dataset``.

    Returns:
        ``fingerprint``; the number of ``faces``, ``rejected``, ``train``, ``validation`` and ``test``;
        ``labels`` with the names of age bins and groups; ``splits`` (faces per gender, ethnicity and
        age bin in each); ``cells`` (per cell its test faces, its faces in the population and its share
        there); ``natural`` (how much of the population the test set covers); and what the earlier
        stages counted.
    """
    labels = data.manifest.labels
    tested = np.bincount(data.test.cells(), minlength=labels.cell_count)
    total = population.population.sum()
    summary = data.preprocess_summary
    return {
        "fingerprint": data.manifest.fingerprint,
        "faces": len(data.manifest),
        "rejected": data.rejected,
        "train": len(data.train),
        "validation": len(data.validation),
        "test": len(data.test),
        "labels": {**labels.to_dict(), "age_bins": list(labels.age_bins), "groups": group_names(labels)},
        "steps": summary.get("steps", []),
        "rejects": summary.get("rejects", {}),
        "distributions": {when: summary[when] for when in ("before", "after") if when in summary},
        "correlation": summary.get("correlation", {}),
        "test_set": dict(data.test_set_summary),
        "splits": {
            "manifest": _counts(data.manifest),
            "train": _counts(data.train),
            "validation": _counts(data.validation),
            "test": _counts(data.test),
        },
        "cells": [
            {
                "name": labels.cell_name(cell),
                "test": int(tested[cell]),
                "population": int(population.population[cell]),
                "share": number(population.population[cell] / total),
            }
            for cell in range(labels.cell_count)
        ],
        "natural": {
            "covered_share": number(population.covered_share),
            "absent_cells": list(population.absent_cells),
        },
    }


def _counts(manifest: Manifest) -> dict[str, dict[str, int]]:
    """Faces per gender, ethnicity and age bin."""
    labels = manifest.labels
    names = {"gender": labels.genders, "ethnicity": labels.ethnicities, "age_bin": labels.age_bins}
    return {
        column: dict(zip(entries, np.bincount(manifest.faces[column], minlength=len(entries)).tolist(), strict=True))
        for column, entries in names.items()
    }
