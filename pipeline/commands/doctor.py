"""``evenface doctor``: what this machine and these credentials can do."""

from dataclasses import replace
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import SettingsOptions, with_options
from pipeline.platforms.checks import Check
from pipeline.platforms.targets import Target, load_platform

if TYPE_CHECKING:
    from pipeline.settings import Settings


class Place(StrEnum):
    """Where the user wants to run; it decides which checks are required."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"
    KUBEFLOW = "kubeflow"
    VERTEX = "vertex"


@with_options
def doctor(
    place: Annotated[Place, typer.Option("--for", help="Where you want to run.")] = Place.SUBPROCESS,
    *,
    options: SettingsOptions,
    bucket: Annotated[
        str | None, typer.Option(help="gs:// URI to check for permission to list, read and write.")
    ] = None,
) -> None:
    """Check what this machine and these credentials can do; each failed check comes with its remedy.

    The exit code is 1 if a check that this place requires fails.
    """
    checks = examine(options.read(), place, bucket)
    _show(checks, place)
    failed = [check.name for check in checks if check.required and not check.passed]
    if failed:
        typer.echo(f"evenface: not ready for {place}: {', '.join(failed)} failed.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Ready for {place}.")


def examine(settings: "Settings", place: Place, bucket: str | None = None) -> list[Check]:
    """Return every check in a fixed order; those that the place can't do without are marked as required."""
    from pipeline.platforms.google_cloud import check_bucket, check_credentials
    from pipeline.platforms.local.checks import check_python, docker_checks, machine_checks

    answers = [
        (True, [check_python()]),
        (place in (Place.SUBPROCESS, Place.DOCKER), machine_checks()),
        (place is Place.DOCKER, docker_checks(settings.platform.docker)),
        (place is Place.VERTEX or bucket is not None, [check_credentials()]),
        (True, [] if bucket is None else [check_bucket(bucket)]),
    ]
    for target in Target:
        wanted = place == target.value
        platform = load_platform(target, settings.resources, settings.platform)
        answers.append((wanted, platform.checks(wanted=wanted)))
    return [replace(check, required=wanted and check.required) for wanted, checks in answers for check in checks]


def _show(checks: list[Check], place: Place) -> None:
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    def mark(check: Check) -> str:
        if check.passed:
            return "[green]ok[/green]"
        return "[red]failed[/red]" if check.required else "[yellow]no[/yellow]"

    table = Table(box=box.SIMPLE_HEAD, title=f"Can evenface run on {place} from here?", title_justify="left")
    for column in ("check", "", "needed", "found", "remedy"):
        table.add_column(column, overflow="fold")
    for check in checks:
        remedy = "" if check.passed else check.remedy
        table.add_row(check.name, mark(check), "yes" if check.required else "", escape(check.finding), escape(remedy))
    Console().print(table)
