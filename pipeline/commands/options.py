"""Options that several commands share."""

from typing import TYPE_CHECKING, Annotated

import typer

from components.errors import RequestError
from pipeline.platforms.targets import Target

if TYPE_CHECKING:
    from components.sources.source import Source as FaceSource
    from pipeline.settings import Settings

PlatformTarget = Annotated[Target, typer.Option("--target", help="Platform.")]
Preset = Annotated[str, typer.Option("--preset", help="Settings to start from: demo, poc or production.")]
Config = Annotated[str | None, typer.Option("--config", help="YAML file with sections that replace the preset's.")]
Override = Annotated[
    list[str] | None, typer.Option("--set", help="One setting, as section.key=value. May be given several times.")
]
Source = Annotated[
    str | None,
    typer.Option("--source", help="gs:// URI of a folder or archive, path that the stages see, or 'synthetic'."),
]
Image = Annotated[
    str | None, typer.Option("--image", help="Container image of every stage, best as NAME@sha256:DIGEST.")
]
DEFAULT_PRESET = "production"


def read_settings(
    preset: str,
    config: str | None,
    overrides: list[str] | None,
    *,
    source: str | None = None,
    image: str | None = None,
    caching: bool | None = None,
) -> "Settings":
    """Compose the settings of a command.

    Args:
        preset: Name of a preset.
        config: Path of a configuration file.
        overrides: Settings as ``section.key=value``.
        source: Where the faces are, or None for the settings' own.
        image: Container image, or None for the settings' own.
        caching: Whether finished stages are reused, or None for the settings' own.

    Raises:
        RequestError: If a setting is wrong.
    """
    from pipeline.settings import load_settings

    direct = {"image": image, "caching": caching}
    platform = {key: value for key, value in direct.items() if value is not None}
    return load_settings(preset, config, overrides or [], source=source, platform=platform or None)


def require_source(settings: "Settings", preset: str, kinds: str = "gs:// URI") -> "FaceSource":
    """Return the source that the settings name.

    Args:
        settings: The settings.
        preset: Name of the preset that they began with.
        kinds: What a source can be, for an error.

    Raises:
        RequestError: If there is none, or it names no bucket.
    """
    if settings.source is None:
        raise RequestError(f"The preset '{preset}' has no faces of its own", remedy=f"pass --source with a {kinds}")
    from components.sources.source import parse_source

    return parse_source(settings.source)
