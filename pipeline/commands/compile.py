"""``evenface compile``, and the compiled pipeline that other commands send."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.options import (
    DEFAULT_PRESET,
    Config,
    Image,
    Override,
    PlatformTarget,
    Preset,
    Source,
    read_settings,
)
from pipeline.platforms.targets import Target

if TYPE_CHECKING:
    from pipeline.compiling import Compiled
    from pipeline.settings import Settings


def compile_(
    target: PlatformTarget,
    preset: Preset = DEFAULT_PRESET,
    config: Config = None,
    overrides: Override = None,
    source: Source = None,
    image: Image = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="YAML to write.", show_default="evenface-<target>.yaml")
    ] = None,
) -> None:
    """Compile the pipeline into YAML for Kubeflow or Vertex AI, offline."""
    from pipeline.compiling import compile_pipeline

    settings = read_settings(preset, config, overrides, source=source, image=image)
    compiled = compile_pipeline(settings, target, output or Path(f"evenface-{target}.yaml"))
    _show_notes(compiled.notes)
    typer.echo(f"Image       {settings.platform.image} ({'pinned by digest' if compiled.pinned else 'not pinned'})")
    typer.echo(f"Compiled    {compiled.path}")


@contextmanager
def compiled_to_send(settings: "Settings", target: Target, source: str) -> Iterator["Compiled"]:
    """Compile the pipeline for as long as the block lasts, and show what the user should know.

    Args:
        settings: What every stage is told.
        target: Where the pipeline will run.
        source: Where the stages find the faces.
    """
    from pipeline.compiling import compile_pipeline

    with tempfile.TemporaryDirectory() as directory:
        compiled = compile_pipeline(settings, target, Path(directory) / "evenface.yaml")
        _show_notes([*compiled.notes, *_source_notes(source, target)])
        yield compiled


def _source_notes(source: str, target: Target) -> list[str]:
    from pipeline.fingerprint import SYNTHETIC

    if source == SYNTHETIC or source.startswith("gs://"):
        return []
    return [f"{source} is a path: the stages on {target} find it only if it is mounted there under the same name."]


def _show_notes(notes: list[str]) -> None:
    for note in notes:
        typer.echo(f"Note        {note}", err=True)
