"""``evenface report``: the report of a finished run, redrawn."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from pipeline.platforms.local.run_folder import RunFolder


def report(
    directory: Annotated[Path, typer.Argument(help="Folder of a finished run.", exists=True, file_okay=False)],
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in the browser.")] = True,
) -> None:
    """Redraw the report of a finished run from its comparison.json, and open it."""
    from components.compare.contract import Comparison
    from components.compare.report.render import write_report

    folder = RunFolder(directory)
    write_report(Comparison.read(folder.comparison), folder.report, folder.summary)
    typer.echo(f"Report      {folder.report}")
    if browser:
        webbrowser.open(folder.report.resolve().as_uri())
