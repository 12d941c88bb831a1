"""The command line: ``evenface …``."""

import io
import signal
import sys
from typing import NoReturn

import typer

from components.errors import EvenfaceError, RequestError
from pipeline.commands.check import check
from pipeline.commands.compile import compile_
from pipeline.commands.doctor import doctor
from pipeline.commands.predict import predict
from pipeline.commands.promote import champion, promote, rollback
from pipeline.commands.report import report
from pipeline.commands.run import run
from pipeline.commands.runs import runs_app
from pipeline.commands.schedule import schedule_app
from pipeline.commands.settings import init, settings
from pipeline.commands.submit import submit
from pipeline.commands.variants import variants
from pipeline.platforms.local.interruption import Interrupted

app = typer.Typer(
    name="evenface",
    help="Train one face model with several cures for class imbalance, and recommend, with evidence, which to ship.\n\n"
    "Example: evenface run --preset demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
for command, example in (
    (check, "check faces.csv --write faces.yaml"),
    (run, "run --preset poc --source UTKFace.tar.gz --set training.epochs=10"),
    (report, "report runs/demo"),
    (predict, "predict face.jpg --model runs/demo/models/baseline/42"),
    (variants, "variants"),
    (promote, "promote runs/production --registry gs://models/evenface"),
    (champion, "champion --registry gs://models/evenface"),
    (rollback, "rollback --registry gs://models/evenface --to 3"),
    (settings, "settings tune"),
    (init, "init poc -o own.yaml"),
    (compile_, "compile --target kubeflow --image NAME@sha256:DIGEST"),
    (submit, "submit --target vertex --source gs://faces/UTKFace.tar.gz --wait"),
    (doctor, "doctor --for docker"),
):
    app.command(example.split()[0], epilog=f"Example: evenface {example}")(command)
app.add_typer(schedule_app, name="schedule")
app.add_typer(runs_app, name="runs")


def main() -> None:
    """Run the command line; an expected failure prints one sentence.

    The exit code is 0 when done, 1 when the run failed, 2 when the request was invalid, and 128 plus its number when a
    signal ended it (130 for Ctrl-C).
    """
    for stream in (sys.stdout, sys.stderr):
        # A console that knows no ✓ shows a question mark: what is printed never decides whether a run succeeds.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        app()
    except EvenfaceError as error:
        _end(error)
    except (OSError, MemoryError) as error:
        from pipeline.faults import explain_error

        explained = explain_error(error)
        if explained is None:
            raise
        _end(explained)
    except Interrupted as stopped:
        sys.stderr.write(f"evenface: {stopped}: run the same command again, and finished stages are not repeated.\n")
        sys.exit(128 + stopped.number)
    except SystemExit as ended:
        if ended.code == 128 + signal.SIGINT:  # Typer's answer to Ctrl-C, which is silent.
            sys.stderr.write("evenface: interrupted.\n")
        raise


def _end(error: EvenfaceError) -> NoReturn:
    sys.stderr.write(f"evenface: {error}\n")
    sys.exit(2 if isinstance(error, RequestError) else 1)
