"""``evenface settings`` and ``evenface init``: what can be set, and a file to set it in."""

from pathlib import Path
from typing import Annotated

import typer

from components.errors import RequestError


def settings(
    section: Annotated[
        str | None, typer.Argument(help="A section or a setting, such as tune or training.epochs.", show_default="all")
    ] = None,
) -> None:
    """List every setting with its type, its default and its meaning."""
    import textwrap

    from rich.console import Console

    from pipeline.settings_reference import list_settings

    console = Console()
    for entry in list_settings(section):
        default = f", default {entry.default}" if entry.default else ""
        console.print(f"[bold]{entry.path}[/bold]", end="", highlight=False)
        console.print(f"  {entry.kind}{default}", style="dim", markup=False, highlight=False, soft_wrap=True)
        for line in textwrap.wrap(entry.meaning, max(20, console.width - 4)):
            console.print(f"    {line}", markup=False, highlight=False)


def init(
    preset: Annotated[str, typer.Argument(help="Preset to start from: demo, poc or production.")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write.", show_default="<preset>.yaml")
    ] = None,
) -> None:
    """Write a settings file in which every setting stands with its meaning, ready for --config."""
    from components.files import atomic_path
    from pipeline.settings_reference import settings_file

    content, path = settings_file(preset), output or Path(f"{preset}.yaml")
    if path.exists():
        raise RequestError(f"{path} exists", remedy="name another file with --output")
    with atomic_path(path) as draft:
        draft.write_text(content, encoding="utf-8")
    typer.echo(f"Settings    {path}")
    typer.echo(f"Run it with evenface run --preset {preset} --config {path}")
