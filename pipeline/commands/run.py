"""``evenface run``: the whole pipeline on this machine, and the tables that it ends with."""

import os
import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.errors import RequestError
from pipeline.commands.options import Config, Override, Preset, require_source
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    from rich.table import Table

    from pipeline.platforms.local.executor import Executor
    from pipeline.settings import Settings


class Runner(StrEnum):
    """What runs the stages on this machine."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


def run(
    preset: Preset = "demo",
    config: Config = None,
    overrides: Override = None,
    source: Annotated[
        str | None,
        typer.Option(help="Folder, .zip, .tar or .tar.gz of UTKFace files, gs:// URI of either, or 'synthetic'."),
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
    cache: Annotated[
        bool, typer.Option("--cache/--no-cache", help="Reuse finished stages of an earlier run in the same folder.")
    ] = True,
) -> None:
    """Run the whole pipeline on this machine, from raw faces to the comparison report."""
    from pipeline.fingerprint import fingerprint_source
    from pipeline.settings import load_settings

    settings = load_settings(preset, config, overrides or [], source=source)
    source = require_source(settings, preset, "folder or archive")
    fingerprint = fingerprint_source(source)

    from pipeline.definition import build_pipeline
    from pipeline.platforms.local.run_locally import run_locally

    executor = _executor(runner, image, settings)
    folder = RunFolder(output or Path("runs") / preset)
    source, settings = _absolute(source), _with_absolute_weights(settings)
    started = time.monotonic()
    console = sys.stdout  # Bound here: while KFP runs, sys.stdout is the run's log.
    comparison = run_locally(
        build_pipeline(settings, executor.image),
        source,
        fingerprint,
        folder,
        executor,
        reads=[Path(name).resolve() for name in (source, settings.model.backbone_weights) if Path(name).exists()],
        writes=_downloads(settings),
        cache=cache,
        show=lambda line: typer.echo(line, file=console),
    )
    show_results(comparison, folder, time.monotonic() - started)


def _executor(runner: Runner, image: str | None, settings: "Settings") -> "Executor":
    if runner is Runner.DOCKER:
        from pipeline.platforms.local.docker_executor import DockerExecutor

        return DockerExecutor.open(image or settings.platform.docker.image, settings.platform.docker)
    from pipeline.platforms.local.executor import SubprocessExecutor

    if image is not None:
        raise RequestError("--image names the image of containers", remedy="add --runner docker")
    return SubprocessExecutor()


def _with_absolute_weights(settings: "Settings") -> "Settings":
    """Make the path of a weights file absolute: a stage runs in another folder."""
    weights = Path(settings.model.backbone_weights)
    if not weights.is_file():
        return settings
    model = settings.model.model_copy(update={"backbone_weights": str(weights.resolve())})
    return settings.model_copy(update={"model": model})


def _absolute(source: str) -> str:
    from pipeline.fingerprint import SYNTHETIC

    return source if source == SYNTHETIC or source.startswith("gs://") else str(Path(source).resolve())


def _downloads(settings: "Settings") -> list[Path]:
    """Return the directories for what a stage downloads, once, because it is the first to need it."""
    if settings.model.backbone_weights != "imagenet":
        return []
    return [Path(os.environ.setdefault("KERAS_HOME", str(Path.home() / ".keras"))).resolve()]


def show_results(comparison: dict[str, Any], folder: RunFolder, seconds: float) -> None:
    """Print what became of the data, one row per variant, the recommendation and the paths."""
    from rich.console import Console

    console = Console()
    data = comparison["dataset"]
    console.print(_steps_table(data))
    console.print(
        f"Faces: {data['train']:,} train, {data['validation']:,} validation, {data['test']:,} test; "
        f"{data['rejected']:,} files not used{_reasons(data.get('rejects') or {})}."
    )
    console.print(_results_table(comparison))
    console.print(_recall_table(comparison))
    recommended = comparison["recommended"]
    console.print(
        f"Recommended: [bold]{recommended['variant'] or 'none'}[/bold]. {recommended['because']}", highlight=False
    )
    console.print(f"\nThe pipeline took {seconds:.0f} s.", highlight=False)
    for name, path in (
        ("Report", folder.report),
        ("Comparison", folder.comparison),
        ("Models", folder.models / "<variant>" / "<seed>"),
        ("Data", folder.data),
        ("Log", folder.log),
    ):
        # A path is never wrapped: it is there to be copied.
        console.print(f"{name:<11} {path}", soft_wrap=True, highlight=False, markup=False)


def _table(title: str) -> "Table":
    from rich import box
    from rich.table import Table

    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))


def _steps_table(data: dict[str, Any]) -> "Table":
    table = _table("What became of the files")
    table.add_column("step")
    table.add_column("removed", justify="right")
    table.add_column("left", justify="right")
    table.add_column("why")
    for step in data.get("steps") or []:
        table.add_row(str(step["step"]), f"{step['removed']:,}", f"{step['faces']:,}", str(step["why"]))
    return table


def _reasons(rejects: dict[str, Any]) -> str:
    shown = ", ".join(f"{count} {reason}" for reason, count in rejects.items() if isinstance(count, int) and count)
    return f" ({shown})" if shown else ""


def _results_table(comparison: dict[str, Any]) -> "Table":
    """Return the three headline metrics with their intervals: narrow enough for 80 columns."""
    confidence = comparison["provenance"]["settings"]["confidence"]
    table = _table(f"Results on the balanced test set, with {100 * confidence:g} % intervals")
    table.add_column("variant", no_wrap=True)
    for name in ("age MAE, years", "gender accuracy", "ethnicity F1"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = comparison["variants"] | comparison.get("posthoc", {}) | {"constant": comparison["floor"]}
    for name, row in rows.items():
        numbers = [_interval(row["age_mae"], 1), _interval(row["gender_accuracy"], 2)]
        style = "dim" if name == "constant" else None
        table.add_row(name, *numbers, _interval(row["ethnicity_macro_f1"], 2), style=style)
    return table


def _recall_table(comparison: dict[str, Any]) -> "Table":
    """Return the recall of each ethnicity, and what the training took."""
    table = _table("Recall by ethnicity, and training")
    table.add_column("variant", no_wrap=True)
    labels = list(next(iter(comparison["variants"].values()))["ethnicity_recall"])
    for name in (*labels, "seeds", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in (comparison["variants"] | comparison.get("posthoc", {})).items():
        recalls = [f"{row['ethnicity_recall'][label]:.2f}" for label in labels]
        seconds = f"{row['train_seconds']:.0f}" if name in comparison["variants"] else "–"
        table.add_row(name, *recalls, str(len(row["seeds"])), seconds)
    return table


def _interval(number: dict[str, float | None], digits: int) -> str:
    value, low, high = (number[key] for key in ("value", "low", "high"))
    if value is None:
        return "–"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"
