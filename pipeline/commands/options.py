"""Options that several commands share."""

import functools
import inspect
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.errors import RequestError
from pipeline.platforms.targets import Target

if TYPE_CHECKING:
    from components.sources.source import Source
    from pipeline.settings import Settings

PlatformTarget = Annotated[Target, typer.Option("--target", help="Platform.")]
Preset = Annotated[str, typer.Option("--preset", help="Settings to start from: demo, poc or production.")]


Force = Annotated[bool, typer.Option("--force", help="Train even if nothing is new since the champion was made.")]


@dataclass(frozen=True)
class SettingsOptions:
    """The options that settings are composed from."""

    preset: Preset = "production"
    config: Annotated[str | None, typer.Option(help="YAML file whose keys override the preset's.")] = None
    overrides: Annotated[
        list[str] | None, typer.Option("--set", help="One setting, as section.key=value. May be given several times.")
    ] = None

    def read(self, source: str | None = None, **platform: Any) -> "Settings":
        """Compose the settings, with these values for the source and the section `platform` unless they are None.

        Raises:
            RequestError: If a setting is invalid.
        """
        from pipeline.settings import load_settings

        direct = {key: value for key, value in platform.items() if value is not None}
        settings = load_settings(self.preset, self.config, self.overrides or [], source=source, platform=direct or None)
        return with_report(settings, preset=settings.compare.report.preset or self.preset)

    def command(self, verb: str, source: str | None) -> str:
        """Return the command that was typed, with the last part of each path: a report goes to other machines."""
        words = ["evenface", verb, "--preset", self.preset]
        words += ["--config", PurePath(self.config).name] if self.config else []
        for override in self.overrides or []:
            key, equals, value = override.partition("=")
            words += ["--set", f"{key}{equals}{_last_part(value)}"]
        words += ["--source", _last_part(source)] if source else []
        return shlex.join(words)

    def require_source(self, settings: "Settings", kinds: str = "gs:// URI") -> "Source":
        """Return the source that the settings name.

        Raises:
            RequestError: If there is none, or it names no bucket.
        """
        if settings.source is None:
            raise RequestError(
                f"The preset '{self.preset}' has no faces of its own", remedy=f"pass --source with a {kinds}"
            )
        from components.sources.source import parse_source

        return parse_source(settings.source, settings.preprocess.columns)


def with_report(settings: "Settings", **facts: str) -> "Settings":
    """Return the settings with facts about the run for the head of its report: ``name``, ``preset``, ``command``."""
    report = settings.compare.report.model_copy(update=facts)
    return settings.model_copy(update={"compare": settings.compare.model_copy(update={"report": report})})


def _last_part(text: str) -> str:
    return PurePath(text).name if PurePath(text).is_absolute() or text.startswith(("~", ".")) else text


@dataclass(frozen=True)
class PipelineOptions(SettingsOptions):
    """The options that a pipeline is compiled with."""

    source: Annotated[
        str | None,
        typer.Option(help="gs:// URI of a folder or archive, a path that the stages can see, or 'synthetic'."),
    ] = None
    image: Annotated[
        str | None, typer.Option(help="Container image of every stage, preferably as NAME@sha256:DIGEST.")
    ] = None


def with_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command each field of its parameter `options` as an option of its own."""
    parameters = inspect.signature(command).parameters
    kind = parameters["options"].annotation
    fields = inspect.signature(kind).parameters

    @functools.wraps(command)
    def spread(**given: Any) -> None:
        command(options=kind(**{name: given.pop(name) for name in fields}), **given)

    shown: list[inspect.Parameter] = []
    for name, parameter in parameters.items():
        shown += fields.values() if name == "options" else [parameter]
    spread.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]
    return spread
