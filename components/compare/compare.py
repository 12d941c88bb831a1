"""Read every run, write the comparison and the report."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq

from components.compare.comparison import build_comparison
from components.compare.contract import RunPlace
from components.compare.dataset import Dataset
from components.compare.galleries import draw_pictures
from components.compare.provenance import describe_run
from components.compare.report.render import write_report
from components.compare.runs import Run
from components.compare.settings import CompareSettings
from components.dataset.manifest import Manifest
from components.dataset.summaries import GatesSummary, PreprocessSummary, TestSetSummary
from components.errors import ArtifactError
from components.evaluation.predictions import Predictions
from components.training.record import HISTORY_FILE, TrainingRecord
from components.training.search import read_searches

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Inputs:
    """Where the artifacts of the earlier stages are: path and URI of each model, paths of the rest.

    The predictions, on the test and on the validation faces, are in the order of the models; ``manifest`` lists all
    faces. ``source`` is what the faces were read from, as the user named it.
    """

    models: list[tuple[str, str]]
    predictions: list[str]
    validation_predictions: list[str]
    source: str
    images: str
    manifest: str
    train: str
    validation: str
    test: str
    rejects: str
    preprocess_summary: str
    test_set_summary: str
    hyperparameters: str
    trials: str
    gates: str | None = None


def compare(
    inputs: Inputs,
    expected: Sequence[Mapping[str, Any]],
    settings: CompareSettings,
    comparison_path: str,
    report_path: str,
    summary_path: str,
) -> dict[str, Any]:
    """Put all runs side by side.

    Args:
        inputs: Artifacts of the earlier stages.
        expected: ``variant`` and ``seed`` of every run requested.
        settings: Resamples, tests, and the rule of the recommendation.
        comparison_path: JSON to write: all facts, with the location of each model under ``runs``.
        report_path: HTML to write.
        summary_path: Markdown to write.

    Returns:
        The recommended variant, what the recommendation rests on, and the reason.

    Raises:
        ArtifactError: If a model and its predictions come from different runs.
    """
    runs = [
        _read_run(model, *predictions)
        for (model, _), *predictions in zip(
            inputs.models, inputs.predictions, inputs.validation_predictions, strict=True
        )
    ]
    data = Dataset(
        manifest=Manifest.read(inputs.manifest),
        train=Manifest.read(inputs.train),
        validation=Manifest.read(inputs.validation),
        test=Manifest.read(inputs.test),
        rejected=pq.read_metadata(inputs.rejects).num_rows,
        preprocess=PreprocessSummary.read(inputs.preprocess_summary),
        test_set=TestSetSummary.read(inputs.test_set_summary),
    )
    comparison = build_comparison(
        runs,
        data,
        settings,
        expected=[(str(run["variant"]), int(run["seed"])) for run in expected],
        searches=read_searches(inputs.hyperparameters),
        trials=pd.read_parquet(inputs.trials),
        run=describe_run(inputs.source, settings.report),
        places=[
            RunPlace(
                variant=run.record.variant,
                seed=run.record.seed,
                model=uri,
                predictions=predictions,
                validation_predictions=validation_predictions,
            )
            for run, (_, uri), predictions, validation_predictions in zip(
                runs, inputs.models, inputs.predictions, inputs.validation_predictions, strict=True
            )
        ],
    )
    include = settings.report.include_faces
    if include == "yes" or (include == "auto" and data.preprocess.synthetic):
        pictures = draw_pictures(comparison.galleries, inputs.images, data.test)
        comparison = comparison.model_copy(update={"pictures": pictures})
    if inputs.gates is not None:
        comparison = comparison.model_copy(update={"gates": GatesSummary.read(inputs.gates)})
    comparison.write(comparison_path)
    write_report(comparison, report_path, summary_path)
    recommended = comparison.recommended
    name = recommended.variant or "none"
    _log.info("%s: %s", recommended.standing, name)
    return {"variant": name, "standing": recommended.standing, "because": recommended.because}


def _read_run(model: str, predictions_path: str, validation_path: str) -> Run:
    record = TrainingRecord.read(model)
    tested, validated = (_read_predictions(path, model, record) for path in (predictions_path, validation_path))
    return Run(tested, validated, record, pd.read_parquet(Path(model) / HISTORY_FILE))


def _read_predictions(path: str, model: str, record: TrainingRecord) -> Predictions:
    predictions = Predictions.read(path)
    if (predictions.variant, predictions.seed) != (record.variant, record.seed):
        predicted, trained = (f"{run.variant}, seed {run.seed}" for run in (predictions, record))
        problem = f"{path} holds predictions of {predicted}, but {model} is {trained}"
        raise ArtifactError(problem, remedy="evaluate the model again")
    return predictions
