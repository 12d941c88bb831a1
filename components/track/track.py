"""Tell an MLflow server of a run: one parent, and below it each variant and seed."""

import hashlib
import logging
import math
import time
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from components.caller import user_name, whoami
from components.compare.contract import Comparison, Row, Scalar
from components.errors import RequestError
from components.evaluation.catalogue import NAMED, SCALARS, switched_on
from components.mlflow_server import MlflowError, connect, explained, find_experiment
from components.track.contract import TrackedRun, TrackingRecord
from components.track.settings import TrackingSettings
from components.training.record import HISTORY_FILE, TrainingRecord

if TYPE_CHECKING:
    from mlflow.entities import Metric
    from mlflow.tracking import MlflowClient

_log = logging.getLogger(__name__)

_KEY = "evenface.comparison"
"""Tag of a parent run: the digest of its comparison, by which a stage that is tried again finds what it has done."""

_PARENT = "mlflow.parentRunId"
_BATCH = 1000
"""Most metrics that a server takes at once."""
_LONGEST_VALUE = 6000
"""Characters of the longest parameter that a server takes."""


def track(
    *,
    comparison_path: str,
    report_path: str,
    model_paths: Sequence[str],
    source: str,
    run_name: str,
    settings: TrackingSettings,
) -> TrackingRecord:
    """Log a finished comparison, its report and its models, and return what ``tracking.json`` holds.

    Whatever an earlier attempt has finished is not logged again.

    Args:
        comparison_path: What compare wrote.
        report_path: Its report.
        model_paths: Every trained model.
        source: The run's source, which names the experiment unless the settings do.
        run_name: The pipeline's name of the run.
        settings: Where the server is, and what it is told.

    Raises:
        MlflowError: If the server can't be told and the settings say that it must.
    """
    uri = str(settings.mlflow_uri)
    experiment = settings.experiment or f"evenface/{_last_name(source)}"
    try:
        client = connect(uri)
        with explained(uri):
            tracker = _Tracker(client, uri, experiment, Path(comparison_path))
            return tracker.log(report_path, model_paths, run_name, settings)
    except (MlflowError, RequestError) as error:
        if settings.required:
            raise
        _log.warning("The run was not tracked: %s", error)
        return TrackingRecord(uri=uri, experiment=experiment, problem=str(error))


def _last_name(source: str) -> str:
    return source.rstrip("/").rsplit("/", 1)[-1].split(".")[0] or "faces"


class _Tracker:
    """One comparison, on its way to a server."""

    def __init__(self, client: "MlflowClient", uri: str, experiment: str, path: Path) -> None:
        self._client = client
        self._uri = uri
        self._experiment = experiment
        self._comparison = Comparison.read(path)
        self._path = path
        self._key = hashlib.sha256(path.read_bytes()).hexdigest()

    def log(
        self, report_path: str, model_paths: Sequence[str], run_name: str, settings: TrackingSettings
    ) -> TrackingRecord:
        client, experiment = self._client, find_experiment(self._client, self._experiment)
        parent = self._find(experiment, f"tags.`{_KEY}` = '{self._key}'")
        if parent is None:
            parent = client.create_run(experiment, run_name=_name(run_name), tags=self._parent_tags(run_name))
        parent_id = parent.info.run_id
        runs = []
        for path in model_paths:
            record = TrainingRecord.read(path)
            run_id = self._log_network(experiment, parent_id, Path(path), record, settings)
            runs.append(TrackedRun(variant=record.variant, seed=record.seed, run_id=run_id))
            _log.info("%s, seed %d: tracked", record.variant, record.seed)
        if parent.info.status != "FINISHED":
            facts = self._comparison.dataset
            told = {name: str(getattr(facts, name)) for name in ("fingerprint", "faces", "train", "validation", "test")}
            self._log_params(parent_id, told | {"variants": ", ".join(self._comparison.variants)})
            self._log_metrics(parent_id, _rows_as_metrics(self._comparison))
            for file, name in ((self._path, "comparison.json"), (Path(report_path), "report.html")):
                client.log_text(parent_id, file.read_text(encoding="utf-8"), name)
            client.set_terminated(parent_id)
        return TrackingRecord(uri=self._uri, experiment=self._experiment, run_id=parent_id, runs=runs)

    def _log_network(
        self, experiment: str, parent: str, path: Path, record: TrainingRecord, settings: TrackingSettings
    ) -> str:
        client, row = self._client, self._comparison.variants[record.variant]
        mine = f"tags.`{_PARENT}` = '{parent}' and tags.`evenface.network` = '{record.variant}/{record.seed}'"
        run = self._find(experiment, mine)
        if run is not None and run.info.status == "FINISHED":
            return str(run.info.run_id)
        if run is None:
            tags = {
                _PARENT: parent,
                "evenface.network": f"{record.variant}/{record.seed}",
                "evenface.variant": record.variant,
                "evenface.seed": str(record.seed),
            }
            run = client.create_run(experiment, run_name=f"{record.variant}, seed {record.seed}", tags=tags)
        run_id = str(run.info.run_id)
        about = record.model_dump(mode="json", include={"recipe", "hyperparameters", "cures", "seed", "variant"})
        self._log_params(run_id, dict(_flatten(about)))
        history = pd.read_parquet(path / HISTORY_FILE)
        by_epoch = [
            _metric(f"epoch/{column}", value, step=int(epoch))
            for column in history.columns.drop("epoch")
            for epoch, value in zip(history["epoch"], history[column], strict=True)
        ]
        self._log_metrics(run_id, [*by_epoch, *_row_as_metrics(row, record.seed)])
        if settings.models:
            client.log_artifacts(run_id, str(path), "model")
        client.set_terminated(run_id)
        return run_id

    def _find(self, experiment: str, query: str) -> Any:
        found = self._client.search_runs([experiment], query, max_results=1)
        return found[0] if found else None

    def _parent_tags(self, run_name: str) -> dict[str, str]:
        chosen = self._comparison.recommended
        return {
            _KEY: self._key,
            "evenface.run": run_name,
            "evenface.standing": chosen.standing,
            "evenface.recommended": chosen.variant or "none",
            "evenface.fingerprint": self._comparison.dataset.fingerprint,
            "mlflow.user": user_name(),
        }

    def _log_params(self, run_id: str, values: Mapping[str, str]) -> None:
        from mlflow.entities import Param

        params = [Param(key, value[:_LONGEST_VALUE]) for key, value in values.items()]
        for start in range(0, len(params), 100):
            self._client.log_batch(run_id, params=params[start : start + 100])

    def _log_metrics(self, run_id: str, metrics: Sequence["Metric | None"]) -> None:
        # What is undefined has no place in a chart.
        known = [metric for metric in metrics if metric is not None]
        for start in range(0, len(known), _BATCH):
            self._client.log_batch(run_id, metrics=known[start : start + _BATCH])


def _row_as_metrics(row: Row, seed: int) -> Iterator["Metric | None"]:
    """Yield the test set's numbers of one seed, and the row's own with their intervals."""
    for name, metric in SCALARS.items():
        if metric.output not in row.learned:
            continue
        scalar = row.scalar(metric)
        yield _metric(f"test/{name}", scalar.by_seed.get(str(seed)))
        yield from _interval(f"variant/{name}", scalar)
    for name, intervals in row.intervals.items():
        for label in intervals:
            yield _metric(f"variant/{name}/{_legal(label)}", row.named(NAMED[name], label).value)


def _rows_as_metrics(comparison: Comparison) -> list["Metric | None"]:
    return [
        metric
        for row_name, row in comparison.rows.items()
        for name, each in switched_on(SCALARS, comparison.dataset.labels).items()
        for metric in _interval(f"{_legal(row_name)}/{name}", row.scalar(each))
    ]


def _interval(name: str, scalar: Scalar) -> Iterator["Metric | None"]:
    yield _metric(name, scalar.value)
    yield _metric(f"{name}/low", scalar.low)
    yield _metric(f"{name}/high", scalar.high)


def _metric(name: str, value: float | None, step: int = 0) -> "Metric | None":
    from mlflow.entities import Metric

    if value is None or not math.isfinite(value):
        return None
    return Metric(name, float(value), int(time.time() * 1000), step)


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in values.items():
        name = f"{prefix}{_legal(str(key))}"
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{name}.")
        else:
            yield name, str(value)


def _legal(name: str) -> str:
    """Return a name of which a server accepts every character."""
    return "".join(letter if letter.isalnum() or letter in "_-. /" else "-" for letter in name)


def _name(run_name: str) -> str:
    """Name a run such that two people on one server don't take each other's for their own."""
    return f"{whoami()} {datetime.now(UTC):%Y-%m-%d %H:%M} {run_name}"
