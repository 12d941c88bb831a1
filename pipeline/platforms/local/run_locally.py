"""The KFP local runner: the same pipeline on this machine."""

import contextlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from html import escape
from pathlib import Path
from typing import Any, TextIO

import kfp.local
from kfp import dsl

from components.compare.contract import Comparison, RunPlace
from components.digests import digest_of, verify_digests
from components.errors import RequestError
from components.files import atomic_path
from components.gs_uri import is_gs_uri
from pipeline.platforms.local.display import Detail, choose_display
from pipeline.platforms.local.executor import Executor
from pipeline.platforms.local.interruption import interruptible
from pipeline.platforms.local.leftovers import scratch, sweep
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.run_log import RunLog, failure_of
from pipeline.platforms.local.run_record import Recording
from pipeline.platforms.local.tasks import count_tasks
from pipeline.platforms.local.verified_cache import VerifiedCache, cached_in
from pipeline.platforms.submission import RunFailedError


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
    console: TextIO,
    detail: Detail,
    expected: Mapping[str, float],
    recording: Recording,
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
        console: Where the user looks.
        detail: How much the user wants to see.
        expected: Seconds that a task of each stage is expected to take; empty where nobody knows.
        recording: Told how each stage ended, and what the run found.
        known: Further values of the pipeline's parameters.

    Raises:
        RequestError: If there is no folder for temporary files.
        RunFailedError: If a stage failed or did not leave an output that it declares.
        Interrupted: If somebody ended it; no stage runs any more then.
    """
    _check_temporary_folder()
    # Every stage's process inherits these: TensorFlow's start-up notices would drown the log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    # Python would look for `components` in the folder that the user is in first, and many a pipeline project has one.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    state, artifacts = folder.state.resolve(), folder.artifacts.resolve()
    # A Docker engine that has to create the folder does so as root.
    artifacts.mkdir(parents=True, exist_ok=True)
    parameters = {
        "source": source,
        "source_fingerprint": fingerprint,
        "state": str(state / "searches"),
        **(known or {}),
    }
    planned = count_tasks(pipeline.pipeline_spec)
    display, shown = choose_display(console, detail, planned, expected)
    with (
        folder.kfp_log.open("w", encoding="utf-8") as everything,
        folder.log.open("w", encoding="utf-8") as own,
        shown,
    ):
        log = RunLog(everything, own, display, planned.total(), _places(source, folder))
        recording.stages = log.stages
        stages = VerifiedCache(folder.cache.resolve(), reuse=cache, show=log.note, reused=log.reused)
        if sweep(folder, stages):
            log.note("Removed leftovers of earlier runs")

        def stop() -> None:
            log.silence()
            executor.stop()

        with (
            scratch(),
            executor.runner(reads, [state, *writes]) as runner,
            interruptible(stop),
            cached_in(stages),
            log.watching(),
        ):
            # The cache decides by itself what is reused.
            kfp.local.init(runner, pipeline_root=str(artifacts), enable_caching=True)
            try:
                outputs = _run(pipeline, parameters, log, folder)
            except RunFailedError:
                if log.failed is not None and log.failed.stage == "merge_parts":
                    # The parts may hold what the source was changed to; only together they show it.
                    stages.forget("read_part")
                raise
        recording.comparison = collect(outputs, list(pipeline.component_spec.outputs), folder, stages.digests)
    return recording.comparison


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


def _run(pipeline: Any, parameters: dict[str, Any], log: RunLog, folder: RunFolder) -> dict[str, dsl.Artifact]:
    stream: TextIO = log  # type: ignore[assignment] # KFP prints and logs to it, nothing more
    try:
        with contextlib.redirect_stdout(stream), _logged_to(stream), warnings.catch_warnings():
            # Display names and resources are for the platforms with a user interface and nodes.
            warnings.filterwarnings("ignore", message=".*have no effect in the current local runner")
            outputs: dict[str, dsl.Artifact] = pipeline(**parameters).outputs
    except RuntimeError as error:
        raise RunFailedError.quoting(*failure_of(log, folder.kfp_log)) from error
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


def collect(
    outputs: dict[str, dsl.Artifact], declared: list[str], folder: RunFolder, digests: Mapping[str, str] | None = None
) -> Comparison:
    """Copy what a user wants from KFP's folders into the run's folder.

    Args:
        outputs: The pipeline's outputs.
        declared: Names of those that it has to have.
        folder: Where the copies go.
        digests: For each artifact's path, the digest of what its stage made; a copy has to match it.

    Raises:
        RunFailedError: If an output is missing or empty (a runner can report a failed task as a success), or if it is
            no longer what its stage made.
        ArtifactError: If a file of the recommended model is not the one that was packaged.
    """

    def deliver(source: Path, target: Path) -> None:
        _copy(source, target, (digests or {}).get(str(source)))

    for name in declared:
        if name not in outputs or not _has_content(Path(outputs[name].path)):
            raise RunFailedError(f"The run ended without its output '{name}'", remedy=f"see {folder.kfp_log}")
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
        deliver(Path(outputs[name].path), targets.get(name, folder.data / f"{name}{suffix}"))
    comparison = Comparison.read(folder.comparison)
    _deliver_runs(comparison, folder, deliver)
    delivered = comparison.model_copy(update={"runs": [_delivered(run, folder) for run in comparison.runs]})
    delivered.write(folder.comparison)
    if "report" in declared:
        _show_delivered(folder.report, comparison, delivered)
    return delivered


def _deliver_runs(comparison: Comparison, folder: RunFolder, deliver: Callable[[Path, Path], None]) -> None:
    """Deliver every training run's model and predictions, in place of those of an earlier run."""
    for stale in (folder.models, folder.predictions, folder.validation):
        shutil.rmtree(stale, ignore_errors=True)
    for run in comparison.runs:
        model = folder.models / run.variant / str(run.seed)
        deliver(Path(run.model), model)
        if not (model / "saved_model.pb").is_file():
            raise RunFailedError(f"Stage train left no model for {run.variant}, seed {run.seed}", remedy="run again")
        for predictions, kept in (
            (run.predictions, folder.predictions),
            (run.validation_predictions, folder.validation),
        ):
            deliver(Path(predictions), kept / run.variant / f"{run.seed}.parquet")


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


def _copy(source: Path, target: Path, digest: str | None) -> None:
    with atomic_path(target) as draft:
        if source.is_dir():
            shutil.copytree(source, draft)
        else:
            shutil.copyfile(source, draft)
        if digest is not None and digest_of(draft) != digest:
            raise RunFailedError(
                f"'{source.name}' was changed on disk while the run went on", remedy="run the same command again"
            )


def _has_content(path: Path) -> bool:
    return path.exists() and (any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0)
