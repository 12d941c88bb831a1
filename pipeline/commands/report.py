"""``evenface report``: the report of a finished run, drawn anew."""

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from components.errors import ArtifactError
from components.files import read_json
from pipeline.platforms.local.run_folder import RunFolder


def report(
    directory: Annotated[Path, typer.Argument(help="Folder of a finished run.", exists=True, file_okay=False)],
    browser: Annotated[bool, typer.Option("--open/--no-open", help="Open the report in the browser.")] = True,
) -> None:
    """Rebuild the report of a finished run from its files, and open it."""
    from components.compare.compare import rebuild

    folder = RunFolder(directory)
    comparison = read_json(folder.comparison)
    if "variants" not in comparison:
        raise ArtifactError(f"{folder.comparison} is no comparison", remedy="give the folder of a finished run")
    rebuild(comparison, folder.data, folder.models, folder.predictions, folder.report, folder.summary)
    typer.echo(f"Report      {folder.report}")
    if browser:
        webbrowser.open(folder.report.resolve().as_uri())
