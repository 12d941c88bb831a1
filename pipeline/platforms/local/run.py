"""The KFP local runner: the same pipeline on this machine."""

import contextlib
import hashlib
import logging
import os
import shutil
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

import kfp.local
from kfp import dsl

from components.errors import EvenfaceError
from components.files import atomic_path, read_json
from pipeline.definition import Outputs, build_pipeline
from pipeline.platforms.local.log import RunLog
from pipeline.settings import Settings

_ROOT = Path(__file__).resolve().parents[3]


class StageFailedError(EvenfaceError):
    """A stage failed; the message names the stage and the cause."""


@dataclass(frozen=True)
class RunFolder:
    """What a local run leaves, and where.

    Attributes:
        path: The folder.
    """

    path: Path

    @property
    def report(self) -> Path:
        """The HTML report."""
        return self.path / "report.html"

    @property
    def summary(self) -> Path:
        """The results table in Markdown."""
        return self.path / "report.md"

    @property
    def comparison(self) -> Path:
        """All facts, as JSON."""
        return self.path / "comparison.json"

    @property
    def models(self) -> Path:
        """``models/<variant>/<seed>`` are SavedModels."""
        return self.path / "models"

    @property
    def predictions(self) -> Path:
        """``predictions/<variant>/<seed>.parquet``."""
        return self.path / "predictions"

    @property
    def data(self) -> Path:
        """Manifests, rejects, trials and the stages' summaries."""
        return self.path / "data"

    @property
    def log(self) -> Path:
        """Everything that the stages printed."""
        return self.path / "run.log"

    @property
    def state(self) -> Path:
        """KFP's own folder: artifacts, cache, unfinished searches."""
        return self.path / ".pipeline"


class Executor(Protocol):
    """What runs a local run's stages.

    Attributes:
        image: Identity of the code that the stages run, part of KFP's cache keys.
    """

    image: str

    def runner(self, reads: list[Path], writes: list[Path]) -> contextlib.AbstractContextManager[Any]:
        """Give KFP's runner for a run that reads and writes these paths."""


class Subprocesses:
    """Runs the stages as processes of this Python environment."""

    def __init__(self) -> None:
        self.image = f"evenface-python:{_code_version()}"

    @contextlib.contextmanager
    def runner(self, reads: list[Path], writes: list[Path]) -> Iterator[Any]:
        """Yield KFP's SubprocessRunner; a process sees every path anyway."""
        del reads, writes
        yield kfp.local.SubprocessRunner(use_venv=False)


def run_locally(
    settings: Settings,
    source: str,
    fingerprint: str,
    folder: RunFolder,
    *,
    cache: bool,
    show: Callable[[str], None],
    executor: Executor | None = None,
) -> dict[str, Any]:
    """Run the pipeline with KFP's local runner and collect what it made.

    Args:
        settings: What to run.
        source: Where the faces are; a local path is made absolute.
        fingerprint: Identity of the source's content.
        folder: Where the results go.
        cache: Reuse finished stages of an earlier run in the same folder whose inputs are equal.
        show: Called with each line that a user should see while it runs.
        executor: What runs the stages; `Subprocesses` by default.

    Returns:
        The comparison.

    Raises:
        StageFailedError: If a stage failed or did not leave an output that it declares.
    """
    if source != "synthetic" and not source.startswith("gs://"):
        source = str(Path(source).resolve())
    # Every stage's process inherits these: TensorFlow's start-up notices would drown the log.
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    folder.path.mkdir(parents=True, exist_ok=True)
    executor = executor or Subprocesses()
    settings = _with_absolute_weights(settings)
    pipeline = build_pipeline(settings, executor.image)
    reads, writes = _paths(settings, source, folder)
    with folder.log.open("w", encoding="utf-8") as file, executor.runner(reads, writes) as runner:
        outputs = _run(pipeline, runner, source, fingerprint, folder, RunLog(file, show), cache=cache)
    collect(outputs, folder)
    comparison: dict[str, Any] = read_json(folder.comparison)
    return comparison


def _with_absolute_weights(settings: Settings) -> Settings:
    """Make the path of a weights file absolute: a stage runs in another folder."""
    weights = Path(settings.model.backbone_weights)
    if not weights.is_file():
        return settings
    model = settings.model.model_copy(update={"backbone_weights": str(weights.resolve())})
    return settings.model_copy(update={"model": model})


def _paths(settings: Settings, source: str, folder: RunFolder) -> tuple[list[Path], list[Path]]:
    """Return the paths that the stages read and those that they write to, all absolute."""
    reads = [Path(name).resolve() for name in (source, settings.model.backbone_weights) if Path(name).exists()]
    writes = [folder.state.resolve()]
    if settings.model.backbone_weights == "imagenet":
        # Downloaded once, by whichever stage needs them first.
        writes.append(Path(os.environ.setdefault("KERAS_HOME", str(Path.home() / ".keras"))).resolve())
    return reads, writes


def _run(
    pipeline: Any, runner: Any, source: str, fingerprint: str, folder: RunFolder, log: RunLog, *, cache: bool
) -> Any:
    state = folder.state.resolve()
    # A Docker engine that has to create the folder does so as root.
    (state / "artifacts").mkdir(parents=True, exist_ok=True)
    kfp.local.init(
        runner,
        pipeline_root=str(state / "artifacts"),
        enable_caching=cache,
    )
    stream: TextIO = log  # type: ignore[assignment] # KFP prints and logs to it, nothing more
    try:
        with contextlib.redirect_stdout(stream), _logged_to(stream), warnings.catch_warnings():
            # Display names and resources are for the platforms with a user interface and nodes.
            warnings.filterwarnings("ignore", message=".*have no effect in the current local runner")
            task = pipeline(source=source, source_fingerprint=fingerprint, state=str(state / "searches"))
    except RuntimeError as error:
        stage = log.failed_stage
        if stage is None:
            raise StageFailedError(f"The run failed ({error})", remedy=f"see {folder.log}") from error
        raise StageFailedError(f"Stage {stage} failed", remedy=f"{log.cause}") from error
    return task.outputs


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


def collect(outputs: dict[str, dsl.Artifact], folder: RunFolder) -> None:
    """Copy what a user wants from KFP's folders into the run's folder.

    Args:
        outputs: The pipeline's outputs by name.
        folder: The run's folder.

    Raises:
        StageFailedError: If an output is missing or empty: a runner can call a failed task a success.
    """
    for name in Outputs._fields:
        if name not in outputs or not _has_content(Path(outputs[name].path)):
            raise StageFailedError(f"The run ended without its output '{name}'", remedy=f"see {folder.log}")
    targets = {"comparison": folder.comparison, "report": folder.report, "report_summary": folder.summary}
    for name in Outputs._fields:
        suffix = ".parquet" if isinstance(outputs[name], dsl.Dataset) else ".json"
        _copy(Path(outputs[name].path), targets.get(name, folder.data / f"{name}{suffix}"))
    comparison = read_json(folder.comparison)
    for stale in (folder.models, folder.predictions):
        shutil.rmtree(stale, ignore_errors=True)
    for run in comparison["runs"]:
        model = folder.models / run["variant"] / str(run["seed"])
        _copy(Path(run["model"]), model)
        if not (model / "saved_model.pb").is_file():
            raise StageFailedError(
                f"Stage train left no model for {run['variant']}, seed {run['seed']}", remedy="run again"
            )
        _copy(Path(run["predictions"]), folder.predictions / run["variant"] / f"{run['seed']}.parquet")


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as draft:
        if source.is_dir():
            shutil.copytree(source, draft)
        else:
            shutil.copyfile(source, draft)


def _has_content(path: Path) -> bool:
    return path.exists() and (any(path.iterdir()) if path.is_dir() else path.stat().st_size > 0)


def _code_version() -> str:
    """Identify the stages' code: KFP's cache keys hold the image's name, and here it stands for the code."""
    digest = hashlib.sha256()
    for file in sorted((_ROOT / "components").rglob("*")):
        if file.suffix in {".py", ".j2", ".css"}:
            digest.update(file.relative_to(_ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
