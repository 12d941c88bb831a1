"""``evenface run``: the whole pipeline on this machine, and the tables that it ends with."""

import os
import sys
import time
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.errors import RequestError
from components.gs_uri import is_gs_uri
from pipeline.commands.options import Preset, SettingsOptions, with_options
from pipeline.platforms.local.interruption import interruptible
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.table import Table

    from components.compare.contract import Comparison, Interval
    from components.evaluation.catalogue import Metric
    from pipeline.platforms.local.executor import Executor
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
) -> None:
    """Run the whole pipeline on this machine, from raw faces to the comparison report."""
    with interruptible():
        settings = options.read(source)
        faces = options.require_source(settings, "folder or archive")
        if estimate:
            from pipeline.estimate.estimate import estimate_here

            estimate_here(faces, settings)
            return

        from pipeline.definition import build_pipeline
        from pipeline.hooks import telling_of_failure
        from pipeline.platforms.local.lock import locked
        from pipeline.platforms.local.run_locally import run_locally
        from pipeline.platforms.local.run_record import Request, recorded
        from pipeline.platforms.local.threads import SIDE_BY_SIDE, share_processors

        folder = RunFolder(output or Path("runs") / options.preset)
        executor = _executor(runner, image, settings, folder)
        fingerprint = faces.fingerprint(settings.preprocess.limits)
        settings = _with_absolute_paths(settings)
        runs, searches = len(settings.runs()), len(settings.tuned_variants())
        parallelism = settings.platform.parallelism
        share = share_processors({"tune": searches, "train": runs, "evaluate": runs}, parallelism)
        if (parallelism or 0) > SIDE_BY_SIDE:
            typer.echo(
                f"Note: at most {SIDE_BY_SIDE} branches run at once here; platform.parallelism is {parallelism}.",
                err=True,
            )
        request = Request(
            source=faces.name,
            preset=options.preset,
            config=options.config,
            overrides=tuple(options.overrides or ()),
            runner=runner.value,
        )
        started = time.monotonic()
        console = sys.stdout  # Bound here: while KFP runs, sys.stdout is the run's log.
        tell = telling_of_failure(settings.hooks, run=folder.path.name, target="local")
        with locked(folder), recorded(folder, request, fingerprint) as recording:
            comparison = tell(run_locally)(
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
                writes=[*_downloads(settings), *_logs(settings)],
                cache=cache,
                show=lambda line: typer.echo(line, file=console),
                recording=recording,
            )
        show_results(comparison, folder, time.monotonic() - started)


def _executor(runner: Runner, image: str | None, settings: "Settings", folder: RunFolder) -> "Executor":
    if runner is Runner.DOCKER:
        from pipeline.platforms.local.docker_executor import DockerExecutor

        return DockerExecutor.open(image or settings.platform.docker.image, settings.platform.docker, folder.lock)
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
    return settings


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


def show_results(comparison: "Comparison", folder: RunFolder, seconds: float) -> None:
    """Print what became of the data, one row per variant, the recommendation and the paths."""
    from rich.console import Console

    console = Console()
    data, recommended = comparison.dataset, comparison.recommended
    console.print(_steps_table(comparison))
    reasons = ", ".join(f"{count} {reason}" for reason, count in data.preprocess.rejects.items())
    console.print(
        f"Faces: {data.train:,} train, {data.validation:,} validation, {data.test:,} test; "
        f"{data.rejected:,} files not used{f' ({reasons})' if reasons else ''}."
    )
    console.print(_results_table(comparison))
    console.print(_recall_table(comparison))
    standing = recommended.standing.capitalize()
    name = f": [bold]{recommended.variant}[/bold]" if recommended.variant else ""
    console.print(f"{standing}{name}. {recommended.because}", highlight=False)
    console.print(f"\nThe pipeline took {seconds:.0f} s.", highlight=False)
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

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
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
    from components.evaluation.catalogue import MAIN

    unit = comparison.dataset.labels.age_unit
    # On two lines, so that the intervals decide the width.
    names = [f"{metric.phrase}{f', {unit}' if metric.unit else ''}".replace(" ", "\n", 1) for metric in MAIN.values()]
    title = f"Results on the balanced test set, with {100 * comparison.confidence:g} % intervals"
    table = _table(title, "variant", *names)
    for name, row in (comparison.variants | comparison.posthoc).items():
        table.add_row(name, *(_interval(row.scalar(metric), metric) for metric in MAIN.values()))
    dummy = (_interval(comparison.dummy.scalar(metric), metric) for metric in MAIN.values())
    table.add_row("constant", *dummy, style="dim")
    return table


def _recall_table(comparison: "Comparison") -> "Table":
    """Return the recall of each class, and how long training took."""
    from components.dataset.outputs import FOCUS
    from components.evaluation.catalogue import CATALOGUE

    recall = CATALOGUE[f"{FOCUS.name}_recall"]
    classes = comparison.dataset.labels.names(FOCUS.name)
    table = _table(f"Recall by {FOCUS.name}, and training", "variant", *classes, "seeds", "seconds")
    for name, row in (comparison.variants | comparison.posthoc).items():
        recalls = (_number(row.named(recall, label).value, 2) for label in classes)
        seconds = "–" if row.is_posthoc else _number(row.train_seconds, 0)
        table.add_row(name, *recalls, str(len(row.seeds)), seconds)
    return table


def _interval(interval: "Interval", metric: "Metric") -> str:
    # One decimal fewer than in the report, to fit the console.
    value, low, high = (_number(end, metric.decimals - 1) for end in (interval.value, interval.low, interval.high))
    return value if interval.low is None or interval.high is None else f"{value} ({low}–{high})"


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}"
