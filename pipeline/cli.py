"""The command line: ``evenface …``."""

import sys

import typer

from components.errors import EvenfaceError, RequestError
from pipeline.commands.compile import compile_
from pipeline.commands.doctor import doctor
from pipeline.commands.predict import predict
from pipeline.commands.promote import champion, promote, rollback
from pipeline.commands.report import report
from pipeline.commands.run import run
from pipeline.commands.schedule import schedule_app
from pipeline.commands.submit import submit
from pipeline.commands.variants import variants

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
    (run, "run --preset poc --source UTKFace.tar.gz --set training.epochs=10"),
    (report, "report runs/demo"),
    (predict, "predict face.jpg --model runs/demo/models/baseline/42"),
    (variants, "variants"),
    (promote, "promote runs/production --registry gs://models/evenface"),
    (champion, "champion --registry gs://models/evenface"),
    (rollback, "rollback --registry gs://models/evenface --to 3"),
    (compile_, "compile --target kubeflow --image NAME@sha256:DIGEST"),
    (submit, "submit --target vertex --source gs://faces/UTKFace.tar.gz --wait"),
    (doctor, "doctor --for docker"),
):
    app.command(example.split()[0], epilog=f"Example: evenface {example}")(command)
app.add_typer(schedule_app, name="schedule")


def main() -> None:
    """Run the command line; an expected failure prints one sentence.

    The exit code is 0 when done, 1 when the run failed, 2 when the request was invalid.
    """
    try:
        app()
    except EvenfaceError as error:
        sys.stderr.write(f"evenface: {error}\n")
        sys.exit(2 if isinstance(error, RequestError) else 1)
    except KeyboardInterrupt:
        sys.stderr.write("evenface: interrupted: run the same command again, and finished stages are not repeated.\n")
        sys.exit(130)
