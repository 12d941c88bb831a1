"""``evenface doctor``."""

from typing import Annotated

import typer

from pipeline.commands.options import DEFAULT_PRESET, Config, Override, PlatformPreset, read_settings
from pipeline.doctor import Check, Place, examine


def doctor_command(
    place: Annotated[Place, typer.Option("--for", help="Where you want to run.")] = Place.SUBPROCESS,
    preset: PlatformPreset = DEFAULT_PRESET,
    config: Config = None,
    overrides: Override = None,
    bucket: Annotated[
        str | None, typer.Option(help="gs:// URI to check for the right to list, read and write.")
    ] = None,
) -> None:
    """Check what this machine and these credentials can do; each failing line comes with its cure.

    The exit code is 1 if a check fails that that place can't do without.
    """
    from rich import box
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    settings = read_settings(preset, config, overrides)
    checks = examine(settings, place, bucket)

    def mark(check: Check) -> str:
        if check.passed:
            return "[green]ok[/green]"
        return "[red]failed[/red]" if check.required else "[yellow]no[/yellow]"

    table = Table(box=box.SIMPLE_HEAD, title=f"Can evenface run on {place} from here?", title_justify="left")
    for column in ("check", "", "needed", "found", "cure"):
        table.add_column(column, overflow="fold")
    for check in checks:
        cure = "" if check.passed else check.cure
        table.add_row(check.name, mark(check), "yes" if check.required else "", escape(check.finding), escape(cure))
    Console().print(table)
    failed = [check.name for check in checks if check.required and not check.passed]
    if failed:
        typer.echo(f"evenface: not ready for {place}: {', '.join(failed)} failed.", err=True)
        raise typer.Exit(1)
    typer.echo(f"Ready for {place}.")
