"""``evenface doctor``: what this machine and these credentials can do."""

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
    """Return the checks of what the place needs, in a fixed order, and of a bucket if one is named."""
    from pipeline.platforms.google_cloud import check_bucket, check_credentials
    from pipeline.platforms.local.checks import check_python, docker_checks, machine_checks

    checks = [check_python()]
    if place in (Place.SUBPROCESS, Place.DOCKER):
        checks += machine_checks()
    if place is Place.DOCKER:
        checks += docker_checks(settings.platform.docker)
    if place is Place.VERTEX or bucket is not None:
        checks.append(check_credentials())
    if bucket is not None:
        checks.append(check_bucket(bucket))
    if place.value in {target.value for target in Target}:
        checks += load_platform(Target(place.value), settings.resources, settings.platform).checks()
    return checks


def _show(checks: list[Check], place: Place) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    def mark(check: Check) -> Text:
        if check.passed:
            return Text("ok", "green")
        return Text("failed", "red") if check.required else Text("no", "yellow")

    # One wide column: words stay whole on a narrow console.
    table = Table.grid(padding=(0, 2))
    for check in checks:
        remedy = "" if check.passed or not check.remedy else f": {check.remedy}"
        table.add_row(mark(check), check.name, Text(f"{check.finding}{remedy}"))
    console = Console()
    console.print(f"Can evenface run on {place} from here?", highlight=False)
    console.print(table)
