"""Read every run, write the comparison and the report."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from components.compare.comparison import build_comparison
from components.compare.data_facts import DataFacts
from components.compare.report.render import render_report
from components.compare.runs import Run
from components.compare.settings import ComparisonSettings
from components.dataset.manifest import Manifest
from components.errors import ArtifactError
from components.evaluation.predictions import Predictions
from components.files import read_json, write_json
from components.training.record import HISTORY_FILE, TrainingRecord

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Where the artifacts of the earlier stages are.

    Attributes:
        models: Path and URI of each model.
        predictions: Predictions of each model, in the same order.
        manifest: Manifest of all faces.
        train: Manifest of the training faces.
        validation: Manifest of the validation faces.
        test: Manifest of the test faces.
        rejects: Files that were not used.
        preprocess_summary: What preprocess counted.
        test_set_summary: What build_test_set counted.
        hyperparameters: What tuning chose.
    """

    models: list[tuple[str, str]]
    predictions: list[str]
    manifest: str
    train: str
    validation: str
    test: str
    rejects: str
    preprocess_summary: str
    test_set_summary: str
    hyperparameters: str


def compare(
    inputs: Inputs,
    expected: Sequence[Mapping[str, Any]],
    settings: ComparisonSettings,
    comparison_path: str,
    report_path: str,
    summary_path: str,
) -> dict[str, Any]:
    """Put all runs side by side.

    Args:
        inputs: Where the artifacts are.
        expected: ``variant`` and ``seed`` of every run that was asked for.
        settings: Resamples, tests, and the rule of the recommendation.
        comparison_path: JSON to write: all facts, and under ``runs`` where each model is.
        report_path: HTML to write.
        summary_path: Markdown to write.

    Returns:
        The recommended variant and the reason.

    Raises:
        ArtifactError: If a model and its predictions are of different runs.
    """
    runs = [
        _read_run(model, predictions) for (model, _), predictions in zip(inputs.models, inputs.predictions, strict=True)
    ]
    data = DataFacts(
        manifest=Manifest.read(inputs.manifest),
        train=Manifest.read(inputs.train),
        validation=Manifest.read(inputs.validation),
        test=Manifest.read(inputs.test),
        rejected=pq.read_metadata(inputs.rejects).num_rows,
        preprocess_summary=read_json(inputs.preprocess_summary),
        test_set_summary=read_json(inputs.test_set_summary),
    )
    comparison = build_comparison(
        runs,
        data,
        settings,
        expected=[(str(run["variant"]), int(run["seed"])) for run in expected],
        searches=read_json(inputs.hyperparameters),
    )
    comparison["runs"] = [
        {"variant": run.about["variant"], "seed": int(run.about["seed"]), "model": uri, "predictions": predictions}
        for run, (_, uri), predictions in zip(runs, inputs.models, inputs.predictions, strict=True)
    ]
    write_json(comparison_path, comparison)
    _write_report(comparison, data.preprocess_summary, runs, report_path, summary_path)
    recommended = comparison["recommended"]
    name = recommended["variant"] or "none"
    _log.info("recommended: %s", name)
    return {"variant": name, "because": recommended["because"]}


def rebuild(
    comparison: dict[str, Any], data: Path, models: Path, predictions: Path, report_path: Path, summary_path: Path
) -> None:
    """Write the report anew from the files of a finished run.

    Args:
        comparison: Content of the run's ``comparison.json``.
        data: Folder with the run's manifests and summaries.
        models: Folder with ``<variant>/<seed>`` models.
        predictions: Folder with ``<variant>/<seed>.parquet``.
        report_path: HTML to write.
        summary_path: Markdown to write.
    """
    runs = [
        _read_run(
            str(models / run["variant"] / str(run["seed"])),
            str(predictions / run["variant"] / f"{run['seed']}.parquet"),
        )
        for run in comparison["runs"]
    ]
    summary = read_json(data / "preprocess_summary.json")
    _write_report(comparison, summary, runs, str(report_path), str(summary_path))


def _write_report(
    comparison: dict[str, Any], data_summary: Mapping[str, Any], runs: list[Run], report_path: str, summary_path: str
) -> None:
    histories = {
        (str(run.about["variant"]), int(run.about["seed"])): run.history for run in runs if run.history is not None
    }
    render_report(
        comparison,
        dict(data_summary),
        histories,
        [run.predictions for run in runs],
        Path(report_path),
        Path(summary_path),
    )


def _read_run(model: str, predictions: str) -> Run:
    about = TrainingRecord.read(model).to_json()
    about["class_priors"] = list(about["statistics"]["priors"]["ethnicity"].values())
    about["settings"] = about.pop("recipe")
    found = Predictions.read(predictions)
    if (found.variant, found.seed) != (about["variant"], int(about["seed"])):
        raise ArtifactError(
            f"{predictions} holds predictions of {found.variant}, seed {found.seed}, but {model} is "
            f"{about['variant']}, seed {about['seed']}",
            remedy="evaluate the model again",
        )
    return Run(found, about, pd.read_parquet(Path(model) / HISTORY_FILE))
