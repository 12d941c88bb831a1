"""``evenface run``: the whole pipeline on this machine, and the tables that it ends with."""

import os
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.errors import RequestError
from components.gs_uri import is_gs_uri
from components.registries.registry import is_local
from pipeline.commands.options import Force, Preset, SettingsOptions, with_options, with_report
from pipeline.platforms.local.display import Detail, show_duration
from pipeline.platforms.local.interruption import interruptible
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.table import Table

    from components.compare.contract import Comparison, Interval
    from components.evaluation.catalogue import Metric
    from components.sources.source import Source
    from pipeline.platforms.local.executor import Executor
    from pipeline.platforms.local.run_record import Request
    from pipeline.settings import Settings


class Runner(StrEnum):
    """What runs the stages on this machine."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


@dataclass(frozen=True)
class RunOptions(SettingsOptions):
    """The options that settings are composed from, starting with the preset `demo`."""

    preset: Preset = "demo"


@with_options
def run(
    options: RunOptions,
    source: Annotated[
        str | None,
        typer.Option(
            help="Folder, .zip, .tar or .tar.gz of UTKFace files, .csv or .parquet table of faces, gs:// URI of one of "
            "these, or 'synthetic'."
        ),
    ] = None,
    output: Annotated[
        Path | None, typer.Option(help="Folder for the results.", show_default="runs/<preset>", file_okay=False)
    ] = None,
    runner: Annotated[
        Runner, typer.Option(help="Run each stage as a process of this Python, or in a container.")
    ] = Runner.SUBPROCESS,
    image: Annotated[
        str | None, typer.Option(help="Image of the containers.", show_default="platform.docker.image")
    ] = None,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Print what the run will take, and start nothing.")
    ] = False,
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse finished stages of an earlier run in the same folder.")
    ] = True,
    quiet: Annotated[
        bool, typer.Option("--quiet", "-q", help="Print nothing but what to ship and where it is.")
    ] = False,
    verbose: Annotated[bool, typer.Option("--verbose", "-v", help="Print every line of every stage.")] = False,
    force: Force = False,
) -> None:
    """Run the whole pipeline on this machine, from raw faces to the comparison report."""
    from pipeline.platforms.local.run_record import Request

    with interruptible():
        detail = _detail(quiet=quiet, verbose=verbose)
        settings = options.read(source)
        faces = options.require_source(settings, "folder or archive")
        if estimate:
            from pipeline.estimate.estimate import estimate_here

            estimate_here(faces, settings)
            return

        folder, started = RunFolder(output or Path("runs") / options.preset), time.monotonic()
        executor = _executor(runner, image, settings, folder)
        _check_mlflow(runner, settings)
        settings = with_report(
            settings,
            name=settings.compare.report.name or folder.path.resolve().name,
            command=options.command("run", source),
        )
        request = Request(
            source=faces.name,
            preset=options.preset,
            config=options.config,
            overrides=tuple(options.overrides or ()),
            runner=runner.value,
        )
        comparison = run_here(settings, faces, folder, executor, request, cache=cache, detail=detail, force=force)
        if comparison is not None:
            show_results(comparison, folder, time.monotonic() - started, detail)
            _show_promotion(folder, settings)


def run_here(
    settings: "Settings",
    faces: "Source",
    folder: RunFolder,
    executor: "Executor",
    request: "Request",
    *,
    cache: bool,
    detail: Detail,
    force: bool,
) -> "Comparison | None":
    """Run the pipeline on this machine and show how it goes.

    Args:
        settings: What to run.
        faces: Their source.
        folder: Where the results go.
        executor: What runs the stages.
        request: What was asked for, as the folder's record states it.
        cache: Reuse finished stages of an earlier run in the folder.
        detail: How much is shown.
        force: Train even if nothing is new since the champion was made.

    Returns:
        The comparison; None where nothing is new.

    Raises:
        RequestError: If the run would fail, as far as can be told before it begins.
        RunFailedError: If a stage failed.
    """
    from pipeline.definition import build_pipeline
    from pipeline.hooks import telling_of_failure
    from pipeline.news import anything_is_new, reference_of
    from pipeline.platforms.local.lock import locked
    from pipeline.platforms.local.run_locally import run_locally
    from pipeline.platforms.local.run_record import recorded
    from pipeline.platforms.local.threads import SIDE_BY_SIDE, share_processors

    fingerprint = faces.fingerprint(settings.preprocess.limits)
    settings = _with_absolute_paths(settings)
    if not anything_is_new(settings, fingerprint, executor.image, force=force):
        return None
    runs, searches = len(settings.runs()), len(settings.tuned_variants())
    parallelism = settings.platform.parallelism
    share = share_processors({"tune": searches, "train": runs, "evaluate": runs}, parallelism)
    if (parallelism or 0) > SIDE_BY_SIDE:
        typer.echo(
            f"Note: at most {SIDE_BY_SIDE} branches run at once here; platform.parallelism is {parallelism}.",
            err=True,
        )
    _check_weights(settings.model.backbone_weights)
    expected = _expect(faces, settings, quiet=detail is Detail.QUIET)
    console = sys.stdout  # Bound here: while KFP runs, sys.stdout is the run's log.
    tell = telling_of_failure(settings.hooks, run=folder.path.name, target="local")
    with locked(folder), recorded(folder, request, fingerprint) as recording:
        return tell(run_locally)(
            build_pipeline(settings, executor.image, share),
            faces.absolute(),
            fingerprint,
            folder,
            executor,
            reads=[
                path.resolve()
                for path in (*faces.local_paths(settings.preprocess.limits), Path(settings.model.backbone_weights))
                if path.exists()
            ],
            writes=[*_downloads(settings), *_logs(settings), *_registry(settings)],
            cache=cache,
            console=console,
            detail=detail,
            expected=expected,
            recording=recording,
            known=reference_of(settings),
        )


def _detail(*, quiet: bool, verbose: bool) -> Detail:
    if quiet and verbose:
        raise RequestError("--quiet and --verbose contradict each other", remedy="give one of them")
    return Detail.QUIET if quiet else Detail.VERBOSE if verbose else Detail.NORMAL


def _check_weights(weights: str) -> None:
    """Refuse a file of weights that is not there, which only the first stage with a network would read."""
    if weights in ("imagenet", "none") or is_gs_uri(weights):
        return
    if not os.access(weights, os.R_OK) or not Path(weights).is_file():
        raise RequestError(
            f"model.backbone_weights is {weights}, where no file can be read",
            remedy="set it to 'imagenet', 'none' or the path of a Keras weights file",
        )


def _expect(source: "Source", settings: "Settings", *, quiet: bool) -> dict[str, float]:
    """Print how long the run will take, and return the seconds that a task of each stage takes."""
    from pipeline.estimate.estimate import expect_here

    if is_gs_uri(source.name):
        return {}  # Counting a bucket's faces is another listing of it.
    expectation = expect_here(source, settings)
    if not quiet:
        typer.echo(expectation.sentence)
    return expectation.seconds


def _executor(runner: Runner, image: str | None, settings: "Settings", folder: RunFolder) -> "Executor":
    if runner is Runner.DOCKER:
        from pipeline.platforms.local.docker_executor import DockerExecutor

        docker = settings.platform.docker
        return DockerExecutor.open(image or docker.image, docker, folder.lock, settings.mlflow_uris())
    from pipeline.platforms.local.executor import SubprocessExecutor

    if image is not None:
        raise RequestError("--image applies only to containers", remedy="add --runner docker")
    return SubprocessExecutor()


def _with_absolute_paths(settings: "Settings") -> "Settings":
    """Make the paths in the settings absolute, because a stage runs in another folder."""
    weights, logs = Path(settings.model.backbone_weights), settings.training.tensorboard
    if weights.is_file():
        model = settings.model.model_copy(update={"backbone_weights": str(weights.resolve())})
        settings = settings.model_copy(update={"model": model})
    if logs is not None and not is_gs_uri(logs):
        training = settings.training.model_copy(update={"tensorboard": str(Path(logs).resolve())})
        settings = settings.model_copy(update={"training": training})
    place = settings.promotion.registry
    if place is not None and is_local(place):
        promotion = settings.promotion.model_copy(update={"registry": str(Path(place).expanduser().resolve())})
        settings = settings.model_copy(update={"promotion": promotion})
    return settings


def _check_mlflow(runner: Runner, settings: "Settings") -> None:
    """Refuse, before anything is trained, stages that this Python could not run."""
    if settings.mlflow_uris() and runner is Runner.SUBPROCESS and find_spec("mlflow") is None:
        raise RequestError("MLflow is not installed here", remedy="install evenface[mlflow]")


def _registry(settings: "Settings") -> list[Path]:
    """Return the registry, if it is a folder on this machine."""
    place = settings.promotion.registry
    return [Path(place)] if place is not None and is_local(place) else []


def _show_promotion(folder: RunFolder, settings: "Settings") -> None:
    """Print what became of the recommended model, and tell the hook of a promotion."""
    if settings.promotion.registry is not None:
        from components.registries.contract import PromotionRecord
        from pipeline.commands.promote import promotion_event, show_decision
        from pipeline.hooks import notify

        record = PromotionRecord.read(folder.promotion)
        show_decision(record)
        if record.is_switch:
            notify(settings.hooks, promotion_event(record, settings.promotion.registry))
    if settings.tracking.mlflow_uri is not None:
        from components.track.contract import TrackingRecord

        tracked = TrackingRecord.read(folder.tracking)
        where = f"{tracked.experiment}, run {tracked.run_id}, on {tracked.uri}"
        typer.echo(f"Tracking    {where}" if tracked.problem is None else f"Not tracked. {tracked.problem}")


def _logs(settings: "Settings") -> list[Path]:
    """Return the directory of TensorBoard's logs, if it is on this machine."""
    logs = settings.training.tensorboard
    if logs is None or is_gs_uri(logs):
        return []
    # A Docker engine that has to create the folder does so as root.
    Path(logs).mkdir(parents=True, exist_ok=True)
    return [Path(logs)]


def _downloads(settings: "Settings") -> list[Path]:
    """Return the directories for files that the first stage to need them downloads, once."""
    if settings.model.backbone_weights != "imagenet":
        return []
    return [Path(os.environ.setdefault("KERAS_HOME", str(Path.home() / ".keras"))).resolve()]


def show_results(comparison: "Comparison", folder: RunFolder, seconds: float, detail: Detail = Detail.NORMAL) -> None:
    """Print what became of the data, one row per variant, the recommendation and the paths."""
    from rich.console import Console

    console = Console()
    data, recommended = comparison.dataset, comparison.recommended
    if detail is Detail.VERBOSE:
        console.print(_steps_table(comparison))
    if detail is not Detail.QUIET:
        reasons = data.preprocess.rejects if detail is Detail.VERBOSE else {}
        told = ", ".join(f"{count} {reason}" for reason, count in reasons.items())
        console.print(
            f"Faces: {data.train:,} train, {data.validation:,} validation, {data.test:,} test; "
            f"{data.rejected:,} files not used{f' ({told})' if told else ''}.\n"
        )
        console.print(_results_table(comparison), "")
        console.print(_recall_table(comparison), "")
    for finding in comparison.gates.failed if comparison.gates else ():
        console.print(f"Warning, {finding.gate}: {finding.told}.", highlight=False, markup=False)
    standing = recommended.standing.capitalize()
    name = f": [bold]{recommended.variant}[/bold]" if recommended.variant else ""
    console.print(f"{standing}{name}. {recommended.because}", highlight=False)
    if detail is not Detail.QUIET:
        console.print(f"The pipeline took {show_duration(seconds)}.\n", highlight=False)
    model = folder.recommended if recommended.variant else f"no model, see {folder.recommended / 'recommended.json'}"
    for name, path in (
        ("Recommended", model),
        ("Report", folder.report),
        ("Comparison", folder.comparison),
        ("Models", folder.models / "<variant>" / "<seed>"),
        ("Data", folder.data),
        ("Log", folder.log),
    ):
        # A path is never wrapped: it is there to be copied.
        console.print(f"{name:<11} {path}", soft_wrap=True, highlight=False, markup=False)


def _table(title: str, first: str, *numbers: str) -> "Table":
    from rich import box
    from rich.table import Table

    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, 0, 0, 1)
    )
    table.add_column(first, no_wrap=True)
    for column in numbers:
        table.add_column(column, justify="right")
    return table


def _steps_table(comparison: "Comparison") -> "Table":
    table = _table("What became of the files", "step", "removed", "left")
    table.add_column("why")
    for step in comparison.dataset.preprocess.steps:
        table.add_row(step.step, f"{step.removed:,}", f"{step.faces:,}", step.why)
    return table


def _results_table(comparison: "Comparison") -> "Table":
    """Return the main metrics with their intervals: narrow enough for 80 columns."""
    from components.evaluation.catalogue import MAIN, switched_on

    unit = comparison.dataset.labels.age_unit
    metrics = switched_on(MAIN, comparison.dataset.labels).values()
    # On two lines, so that the intervals decide the width.
    names = [f"{metric.phrase}{f', {unit}' if metric.is_age else ''}".replace(" ", "\n", 1) for metric in metrics]
    title = f"Results on the balanced test set, with {100 * comparison.confidence:g} % intervals"
    table = _table(title, "variant", *names)
    for name, row in (comparison.variants | comparison.posthoc | comparison.ensembles).items():
        table.add_row(name, *(_interval(row.scalar(metric), metric) for metric in metrics))
    dummy = (_interval(comparison.dummy.scalar(metric), metric) for metric in metrics)
    table.add_row("constant", *dummy, style="dim")
    return table


def _recall_table(comparison: "Comparison") -> "Table":
    """Return the recall of each class, and how long training took."""
    from components.dataset.outputs import FOCUS
    from components.evaluation.catalogue import CATALOGUE

    recall = CATALOGUE[f"{FOCUS.name}_recall"]
    classes = comparison.dataset.labels.names(FOCUS.name)
    table = _table(f"Recall by {FOCUS.name}, and training", "variant", *classes, "seeds", "seconds")
    for name, row in (comparison.variants | comparison.posthoc | comparison.ensembles).items():
        recalls = (_number(row.named(recall, label).value, 2) for label in classes)
        seconds = "–" if not row.is_trained else _number(row.train_seconds, 0)
        table.add_row(name, *recalls, str(len(row.seeds)), seconds)
    return table


def _interval(interval: "Interval", metric: "Metric") -> str:
    # One decimal fewer than in the report, to fit the console.
    value, low, high = (_number(end, metric.decimals - 1) for end in (interval.value, interval.low, interval.high))
    return value if interval.low is None or interval.high is None else f"{value} ({low}–{high})"


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
