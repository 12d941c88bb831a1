"""``evenface compile``."""

from pathlib import Path
from typing import Annotated

import typer

from pipeline.commands.options import (
    DEFAULT_PRESET,
    Config,
    Image,
    Override,
    PlatformPreset,
    PlatformTarget,
    Source,
    read_settings,
    show_notes,
)


def compile_command(
    target: PlatformTarget,
    preset: PlatformPreset = DEFAULT_PRESET,
    config: Config = None,
    overrides: Override = None,
    source: Source = None,
    image: Image = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="YAML to write.", show_default="evenface-<target>.yaml")
    ] = None,
) -> None:
    """Compile the pipeline into YAML for Kubeflow or Vertex AI, offline."""
    from pipeline.platforms.compiling import compile_pipeline

    settings = read_settings(preset, config, overrides, source=source, image=image)
    compiled = compile_pipeline(settings, target, output or Path(f"evenface-{target}.yaml"))
    show_notes(compiled.notes)
    typer.echo(f"Image       {compiled.image} ({'pinned by digest' if compiled.pinned else 'not pinned'})")
    typer.echo(f"Compiled    {compiled.path}")
