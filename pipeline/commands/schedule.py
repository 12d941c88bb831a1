"""``evenface schedule apply | list | pause | resume | delete``."""

import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

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
    require_source,
    show_notes,
)

if TYPE_CHECKING:
    from pipeline.platforms.schedules import Schedule
    from pipeline.platforms.submission import Platform, Target

schedule_app = typer.Typer(help="Retraining at fixed times on Kubeflow or Vertex AI.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the schedule.")]


@schedule_app.command(epilog="Example: evenface schedule apply weekly --target kubeflow --cron '0 3 * * 1'")
def apply(
    name: Name,
    target: PlatformTarget,
    cron: Annotated[str, typer.Option(help="Minute, hour, day of month, month, day of week.")],
    timezone: Annotated[str, typer.Option(help="IANA time zone that the expression is read in.")] = "UTC",
    max_concurrency: Annotated[int, typer.Option(help="Runs that may be in flight at once, 1 to 10.")] = 1,
    preset: PlatformPreset = DEFAULT_PRESET,
    config: Config = None,
    overrides: Override = None,
    source: Source = None,
    image: Image = None,
) -> None:
    """Make the platform's schedule of this name be this one; doing it twice changes nothing.

    Missed times are not caught up on. A run in flight is left alone.
    """
    # Each command imports what it needs.
    from pipeline.platforms.compiling import compile_pipeline, prepare_submission, source_note
    from pipeline.platforms.schedules import Schedule
    from pipeline.platforms.submission import UNKNOWN_SOURCE, load_platform

    schedule = Schedule(name, cron, timezone, max_concurrency)
    schedule.next_times(datetime.now(UTC))
    # What the source will hold is unknown today, so that a cached stage could be a stale one.
    settings = read_settings(preset, config, overrides, source=source, image=image, caching=False)
    source = require_source(settings, preset)
    note = source_note(source, target)
    with tempfile.TemporaryDirectory() as directory:
        compiled = compile_pipeline(settings, target, Path(directory) / "evenface.yaml")
        show_notes([*compiled.notes, *([note] if note else [])])
        submission = prepare_submission(settings, compiled, source, UNKNOWN_SOURCE, name)
        platform = load_platform(target, settings.resources, settings.platform)
        change = platform.apply_schedule(schedule, submission, typer.echo)
    typer.echo(f"Schedule    {name}: {change}")
    _show_times(schedule)


@schedule_app.command("list", epilog="Example: evenface schedule list --target kubeflow")
def list_schedules(
    target: PlatformTarget, preset: PlatformPreset = DEFAULT_PRESET, config: Config = None, overrides: Override = None
) -> None:
    """List the schedules that evenface made, with their next times."""
    states = _platform(target, preset, config, overrides).list_schedules()
    if not states:
        typer.echo("No schedule: make one with evenface schedule apply.")
    for state in states:
        schedule = state.schedule
        typer.echo(
            f"{schedule.name}: '{schedule.cron}' {schedule.timezone}, {'paused' if state.paused else 'active'}, "
            f"at most {schedule.max_concurrency} at once, {state.identifier}"
        )
        if state.note:
            typer.echo(f"  {state.note}")
        if not state.paused:
            _show_times(schedule)


@schedule_app.command(epilog="Example: evenface schedule pause weekly --target kubeflow")
def pause(
    name: Name,
    target: PlatformTarget,
    preset: PlatformPreset = DEFAULT_PRESET,
    config: Config = None,
    overrides: Override = None,
) -> None:
    """Stop a schedule from starting runs; a run in flight goes on."""
    platform = _platform(target, preset, config, overrides)
    platform.pause_schedule(name)
    typer.echo(f"Schedule    {name}: paused")
    for state in platform.list_schedules():
        if state.schedule.name == name and state.note:
            typer.echo(f"            {state.note}")


@schedule_app.command(epilog="Example: evenface schedule resume weekly --target kubeflow")
def resume(
    name: Name,
    target: PlatformTarget,
    preset: PlatformPreset = DEFAULT_PRESET,
    config: Config = None,
    overrides: Override = None,
) -> None:
    """Let a paused schedule start runs again."""
    platform = _platform(target, preset, config, overrides)
    platform.resume_schedule(name)
    typer.echo(f"Schedule    {name}: resumed")
    for state in platform.list_schedules():
        if state.schedule.name == name:
            _show_times(state.schedule)


@schedule_app.command(epilog="Example: evenface schedule delete weekly --target kubeflow")
def delete(
    name: Name,
    target: PlatformTarget,
    preset: PlatformPreset = DEFAULT_PRESET,
    config: Config = None,
    overrides: Override = None,
) -> None:
    """Remove a schedule; a run in flight is left alone."""
    _platform(target, preset, config, overrides).delete_schedule(name)
    typer.echo(f"Schedule    {name}: deleted")


def _platform(target: "Target", preset: str, config: str | None, overrides: list[str] | None) -> "Platform":
    from pipeline.platforms.submission import load_platform

    settings = read_settings(preset, config, overrides)
    return load_platform(target, settings.resources, settings.platform)


def _show_times(schedule: "Schedule") -> None:
    from pipeline.platforms.schedules import show_times

    for position, text in enumerate(show_times(schedule.next_times(datetime.now(UTC)))):
        typer.echo(f"{'Next' if position == 0 else '':12}{text}")
