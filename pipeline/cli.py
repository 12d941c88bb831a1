"""The command line: ``evenface …``."""

import sys
import time
import webbrowser
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from components.errors import EvenfaceError, RequestError
from pipeline.commands.compile import compile_command
from pipeline.commands.doctor import doctor_command
from pipeline.commands.options import Config, Override
from pipeline.commands.schedule import schedule_app
from pipeline.commands.submit import submit_command

if TYPE_CHECKING:
    from pipeline.platforms.local.run import Executor
    from pipeline.settings import Settings

app = typer.Typer(
    name="evenface",
    help="Train one face model with several cures for class imbalance, and say with evidence which one to ship.\n\n"
    "Example: evenface run --preset demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

Preset = Annotated[str, typer.Option(help="Settings to start from: demo, poc or production.")]


class Runner(StrEnum):
    """What runs the stages on this machine."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"


def main() -> None:
    """Run the command line; an expected failure prints one sentence.

    The exit code is 0 when done, 1 when the run failed, 2 when the request was wrong.
    """
    try:
        app()
    except RequestError as error:
        _fail(error, 2)
    except EvenfaceError as error:
        _fail(error, 1)
    except KeyboardInterrupt:
        sys.stderr.write("evenface: interrupted; run the same command again and finished stages are not repeated.\n")
        sys.exit(130)


def _fail(error: EvenfaceError, code: int) -> None:
    sys.stderr.write(f"evenface: {error}\n")
    sys.exit(code)


@app.command(epilog="Example: evenface run --preset poc --source UTKFace.tar.gz --set training.epochs=10")
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
    from pipeline.settings import load_settings

    settings = load_settings(preset, config, overrides or [], source=source)
    if settings.source is None:
        raise RequestError(
            f"The preset '{preset}' has no faces of its own", remedy="pass --source with a folder or archive"
        )
    from pipeline.fingerprint import fingerprint_source

    fingerprint = fingerprint_source(settings.source)

    from pipeline.platforms.local.run import RunFolder, run_locally
    from pipeline.results import print_results

    executor = _executor(runner, image, settings)
    folder = RunFolder(output or Path("runs") / preset)
    started = time.monotonic()
    console = sys.stdout  # Bound here: while KFP runs, sys.stdout is the run's log.
    comparison = run_locally(
        settings,
        settings.source,
        fingerprint,
        folder,
        cache=cache,
        show=lambda line: typer.echo(line, file=console),
        executor=executor,
    )
    print_results(comparison, folder, time.monotonic() - started)


def _executor(runner: Runner, image: str | None, settings: "Settings") -> "Executor":
    if runner is Runner.DOCKER:
        from pipeline.platforms.local.containers import Containers

        return Containers.open(image or settings.platform.docker.image, settings.platform.docker)
    from pipeline.platforms.local.run import Subprocesses

    if image is not None:
        raise RequestError("--image names the image of containers", remedy="add --runner docker")
    return Subprocesses()


@app.command(epilog="Example: evenface report runs/demo")
def report(
    directory: Annotated[Path, typer.Argument(help="Folder of a finished run.", exists=True, file_okay=False)],
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in the browser.")] = True,
) -> None:
    """Rebuild the report of a finished run from its files, and open it."""
    from pipeline.platforms.local.run import RunFolder
    from pipeline.results import rebuild_report

    folder = RunFolder(directory)
    rebuild_report(folder)
    typer.echo(f"Report      {folder.report}")
    if browser:
        webbrowser.open(folder.report.resolve().as_uri())


@app.command(epilog="Example: evenface predict face.jpg --model runs/demo/models/baseline/42")
def predict(
    images: Annotated[list[Path], typer.Argument(help="JPEG or PNG files, one face each.")],
    model: Annotated[Path, typer.Option(help="SavedModel directory of a run.")],
) -> None:
    """Predict age, gender and ethnicity of faces with a trained model."""
    from pipeline.results import print_predictions

    missing = [str(image) for image in images if not image.is_file()]
    if missing:
        raise RequestError(f"{missing[0]} is not a file", remedy="check the paths of the images")
    print_predictions(images, model)


@app.command(epilog="Example: evenface variants")
def variants() -> None:
    """List the variants: which cure each one uses for age, gender and ethnicity, and where it comes from."""
    from pipeline.results import print_variants

    print_variants()


app.command("compile", epilog="Example: evenface compile --target kubeflow --image NAME@sha256:DIGEST")(compile_command)
app.command("submit", epilog="Example: evenface submit --target vertex --source gs://faces/UTKFace.tar.gz --wait")(
    submit_command
)
app.add_typer(schedule_app, name="schedule")
app.command("doctor", epilog="Example: evenface doctor --for docker")(doctor_command)
