"""The KFP local runner: the same pipeline on this machine."""

import contextlib
import logging
import os
import shutil
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO

import kfp.local
from kfp import dsl

from components.compare.contract import Comparison
from components.digests import verify_digests
from components.files import atomic_path
from pipeline.platforms.local.executor import Executor
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.run_log import RunLog
from pipeline.platforms.submission import RunFailedError, Show


def run_locally(
    pipeline: Any,
    source: str,
    fingerprint: str,
    folder: RunFolder,
    executor: Executor,
    *,
    reads: list[Path],
    writes: list[Path],
    cache: bool,
    show: Show,
    known: Mapping[str, Any] | None = None,
) -> Comparison:
    """Run the pipeline with KFP's local runner and collect what it made.

    Args:
        pipeline: The KFP pipeline, built with the executor's image.
        source: Where the faces are; a local path is absolute, because a stage runs in another folder.
        fingerprint: Identity of the source's content.
        folder: Where the results go.
        executor: What runs the stages.
        reads: Absolute paths that the stages read.
        writes: Absolute paths of directories that the stages write to, besides the run's own.
        cache: Reuse finished stages of an earlier run in the same folder whose inputs are equal.
        show: Called with each line that a user should see while it runs.
        known: Further values of the pipeline's parameters.

    Raises:
        RunFailedError: If a stage failed or did not leave an output that it declares.
    """
    # Every stage's process inherits these: TensorFlow's start-up notices would drown the log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    state = folder.state.resolve()
    # A Docker engine that has to create the folder does so as root.
    (state / "artifacts").mkdir(parents=True, exist_ok=True)
    parameters = {
        "source": source,
        "source_fingerprint": fingerprint,
        "state": str(state / "searches"),
        **(known or {}),
    }
    with folder.log.open("w", encoding="utf-8") as file, executor.runner(reads, [state, *writes]) as runner:
        kfp.local.init(runner, pipeline_root=str(state / "artifacts"), enable_caching=cache)
        outputs = _run(pipeline, parameters, RunLog(file, show), folder)
    return collect(outputs, list(pipeline.component_spec.outputs), folder)


def _run(pipeline: Any, parameters: dict[str, Any], log: RunLog, folder: RunFolder) -> dict[str, dsl.Artifact]:
    stream: TextIO = log  # type: ignore[assignment] # KFP prints and logs to it, nothing more
    try:
        with contextlib.redirect_stdout(stream), _logged_to(stream), warnings.catch_warnings():
            # Display names and resources are for the platforms with a user interface and nodes.
            warnings.filterwarnings("ignore", message=".*have no effect in the current local runner")
            outputs: dict[str, dsl.Artifact] = pipeline(**parameters).outputs
    except RuntimeError as error:
        if log.failed_stage is None:
            raise RunFailedError(f"The run failed ({error})", remedy=f"see {folder.log}") from error
        raise RunFailedError.quoting(f"Stage {log.failed_stage} failed", log.cause) from error
    return outputs


@contextlib.contextmanager
def _logged_to(stream: TextIO) -> Iterator[None]:
    """Send log messages to a stream: KFP's own handler covers tasks that run, not those that it skips."""
    root, handler = logging.getLogger(), logging.StreamHandler(stream)
    level = root.level
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    try:
        yield
    finally:
        root.removeHandler(handler)
        root.setLevel(level)


def collect(outputs: dict[str, dsl.Artifact], declared: list[str], folder: RunFolder) -> Comparison:
    """Copy what a user wants from KFP's folders into the run's folder.

    Raises:
        RunFailedError: If an output is missing or empty: a runner can report a failed task as a success.
        ArtifactError: If a file of the recommended model is not the one that was packaged.
    """
    for name in declared:
        if name not in outputs or not _has_content(Path(outputs[name].path)):
            raise RunFailedError(f"The run ended without its output '{name}'", remedy=f"see {folder.log}")
    if "recommended" in declared:
        verify_digests(outputs["recommended"].path)
    targets = {
        "comparison": folder.comparison,
        "report": folder.report,
        "report_summary": folder.summary,
        "recommended": folder.recommended,
    }
    for name in declared:
        suffix = ".parquet" if isinstance(outputs[name], dsl.Dataset) else ".json"
        _copy(Path(outputs[name].path), targets.get(name, folder.data / f"{name}{suffix}"))
    comparison = Comparison.read(folder.comparison)
    for stale in (folder.models, folder.predictions, folder.validation):
        shutil.rmtree(stale, ignore_errors=True)
    for run in comparison.runs:
        model = folder.models / run.variant / str(run.seed)
        _copy(Path(run.model), model)
        if not (model / "saved_model.pb").is_file():
            raise RunFailedError(f"Stage train left no model for {run.variant}, seed {run.seed}", remedy="run again")
        for predictions, kept in (
            (run.predictions, folder.predictions),
            (run.validation_predictions, folder.validation),
        ):
            _copy(Path(predictions), kept / run.variant / f"{run.seed}.parquet")
    return comparison


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as draft:
        if source.is_dir():
            shutil.copytree(source, draft)
        else:
            shutil.copyfile(source, draft)


def _has_content(path: Path) -> bool:
    return path.exists() and (any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0)
