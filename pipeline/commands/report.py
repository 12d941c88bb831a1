"""``evenface report``: the report of a finished run, redrawn."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from components.errors import RequestError
from pipeline.platforms.local.run_folder import RunFolder


def report(
    directory: Annotated[Path, typer.Argument(help="Folder of a finished run.")],
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in the browser.")] = True,
) -> None:
    """Redraw the report of a finished run from its comparison.json, and open it."""
    folder = finished_run(directory)
    from components.compare.contract import Comparison
    from components.compare.report.render import write_report

    write_report(Comparison.read(folder.comparison), folder.report, folder.summary)
    typer.echo(f"Report      {folder.report}")
    if browser:
        webbrowser.open(folder.report.resolve().as_uri())


def finished_run(directory: Path) -> RunFolder:
    """Return the folder of a finished run.

    Raises:
        RequestError: If a folder is none, with one that is where there is one near.
    """
    folder = RunFolder(directory)
    if folder.comparison.is_file():
        return folder
    problem = f"{directory} holds no finished run" if directory.is_dir() else f"There is no folder {directory}"
    near = directory if directory.is_dir() else directory.parent
    inside = sorted(near.glob("*/comparison.json"), key=lambda found: found.stat().st_mtime)
    above = [place for place in directory.parents[:3] if RunFolder(place).comparison.is_file()]
    if above or inside:
        raise RequestError(problem, remedy=f"give {above[0] if above else inside[-1].parent}")
    raise RequestError(problem, remedy="give a run's folder; evenface runs lists them")
