"""``evenface compile``, and the compiled pipeline that other commands send."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import PipelineOptions, PlatformTarget, with_options
from pipeline.platforms.targets import Target

if TYPE_CHECKING:
    from components.sources.source import Source
    from pipeline.compiling import Compiled
    from pipeline.settings import Settings


@with_options
def compile_(
    target: PlatformTarget,
    options: PipelineOptions,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="YAML to write.", show_default="evenface-<target>.yaml")
    ] = None,
) -> None:
    """Compile the pipeline into YAML for Kubeflow or Vertex AI, offline."""
    from pipeline.compiling import compile_pipeline

    settings = options.read(options.source, image=options.image)
    compiled = compile_pipeline(settings, target, output or Path(f"evenface-{target}.yaml"))
    _show_notes(compiled.notes)
    typer.echo(f"Image       {settings.platform.image} ({'pinned by digest' if compiled.pinned else 'not pinned'})")
    typer.echo(f"Compiled    {compiled.path}")


@contextmanager
def compiled_to_send(
    settings: "Settings", target: Target, source: "Source", *, scheduled: bool = False
) -> Iterator["Compiled"]:
    """Compile the pipeline for as long as the block lasts, and show what the user should know."""
    from pipeline.compiling import compile_pipeline

    with tempfile.TemporaryDirectory() as directory:
        compiled = compile_pipeline(settings, target, Path(directory) / "evenface.yaml", scheduled=scheduled)
        notes = compiled.notes
        if not source.is_visible_on_cluster:
            where = f"{source.name} is a path: the stages on {target} find it only if it is mounted there"
            notes = [*notes, f"{where} at the same path."]
        _show_notes(notes)
        yield compiled


def _show_notes(notes: list[str]) -> None:
    for note in notes:
        typer.echo(f"Note        {note}", err=True)
