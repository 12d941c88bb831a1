"""The KFP local runner: the same pipeline on this machine."""

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import Any, TextIO

import kfp.local
from kfp import dsl

from components.compare.contract import Comparison, RunPlace
from components.errors import RequestError
from components.files import atomic_path
from components.gs_uri import is_gs_uri
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

    Raises:
        RequestError: If there is no folder for temporary files.
        RunFailedError: If a stage failed or did not leave an output that it declares.
    """
    _check_temporary_folder()
    # Every stage's process inherits these: TensorFlow's start-up notices would drown the log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    state = folder.state.resolve()
    # A Docker engine that has to create the folder does so as root.
    (state / "artifacts").mkdir(parents=True, exist_ok=True)
    parameters = {"source": source, "source_fingerprint": fingerprint, "state": str(state / "searches")}
    with folder.log.open("w", encoding="utf-8") as file, executor.runner(reads, [state, *writes]) as runner:
        kfp.local.init(runner, pipeline_root=str(state / "artifacts"), enable_caching=cache)
        outputs = _run(pipeline, parameters, RunLog(file, show, _places(source, folder)), folder)
    return collect(outputs, list(pipeline.component_spec.outputs), folder)


def _check_temporary_folder() -> None:
    """Refuse a TMPDIR that can't be written to: Python does without it, but the shell that starts a stage does not."""
    folder = os.environ.get("TMPDIR")
    if folder and not (Path(folder).is_dir() and os.access(folder, os.W_OK | os.X_OK)):
        raise RequestError(
            f"TMPDIR is {folder}, where no file can be written", remedy="create that folder, or unset TMPDIR"
        )


def _places(source: str, folder: RunFolder) -> dict[str, str]:
    """Return names for this machine's paths, as a log states them."""
    places = {
        Path(tempfile.gettempdir()).resolve(): "<temporary>",
        Path(__file__).parents[3]: "<evenface>",
        Path(sys.base_prefix): "<python>",
        Path(sys.prefix): "<environment>",
        Path.cwd(): "<here>",
        Path.home(): "<home>",
        folder.path.resolve(): "<run>",
    }
    if not is_gs_uri(source) and Path(source).is_absolute():
        places[Path(source)] = "<source>"
    return {str(path): name for path, name in places.items() if len(path.parts) > 1}


def _run(pipeline: Any, parameters: dict[str, str], log: RunLog, folder: RunFolder) -> dict[str, dsl.Artifact]:
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
    """
    for name in declared:
        if name not in outputs or not _has_content(Path(outputs[name].path)):
            raise RunFailedError(f"The run ended without its output '{name}'", remedy=f"see {folder.log}")
    targets = {"comparison": folder.comparison, "report": folder.report, "report_summary": folder.summary}
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
    delivered = comparison.model_copy(update={"runs": [_delivered(run, folder) for run in comparison.runs]})
    delivered.write(folder.comparison)
    if "report" in declared:
        _show_delivered(folder.report, comparison, delivered)
    return delivered


def _show_delivered(report: Path, made: Comparison, delivered: Comparison) -> None:
    """Let the report name each model's place in the run's folder, as it would if it were drawn again."""
    page = report.read_text(encoding="utf-8")
    for before, after in zip(made.runs, delivered.runs, strict=True):
        page = page.replace(escape(before.model), escape(after.model))
    with atomic_path(report) as draft:
        draft.write_text(page, encoding="utf-8")


def _delivered(run: RunPlace, folder: RunFolder) -> RunPlace:
    """Say where a run's files are in the run's folder, which may be moved or handed on."""
    place, seed = Path(run.variant), str(run.seed)
    paths = {
        "model": folder.models / place / seed,
        "predictions": folder.predictions / place / f"{seed}.parquet",
        "validation_predictions": folder.validation / place / f"{seed}.parquet",
    }
    return run.model_copy(update={name: path.relative_to(folder.path).as_posix() for name, path in paths.items()})


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as draft:
        if source.is_dir():
            shutil.copytree(source, draft)
        else:
            shutil.copyfile(source, draft)


def _has_content(path: Path) -> bool:
    return path.exists() and (any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0)
