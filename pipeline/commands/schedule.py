"""``evenface schedule apply | list | pause | resume | delete``."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from pipeline.commands.compile import compiled_to_send
from pipeline.commands.options import PipelineOptions, PlatformTarget, SettingsOptions, with_options
from pipeline.platforms.schedules import Schedule, show_times
from pipeline.platforms.targets import Target, load_platform

if TYPE_CHECKING:
    from pipeline.platforms.submission import PlatformSchedules

schedule_app = typer.Typer(help="Retraining at fixed times on Kubeflow or Vertex AI.", no_args_is_help=True)

Name = Annotated[str, typer.Argument(help="Name of the schedule.")]


@schedule_app.command(epilog="Example: evenface schedule apply weekly --target kubeflow --cron '0 3 * * 1'")
@with_options
def apply(
    name: Name,
    target: PlatformTarget,
    cron: Annotated[str, typer.Option(help="Minute, hour, day of month, month, day of week.")],
    timezone: Annotated[str, typer.Option(help="IANA time zone that the expression is read in.")] = "UTC",
    max_concurrency: Annotated[int, typer.Option(help="Runs that may be in flight at once, 1 to 10.")] = 1,
    *,
    options: PipelineOptions,
) -> None:
    """Create a schedule, or change the one of this name to match; doing it twice changes nothing.

    Missed runs are not made up for. A run in flight is left alone.
    """
    from pipeline.compiling import prepare_submission

    schedule = Schedule(name, cron, timezone, max_concurrency)
    schedule.next_times(datetime.now(UTC))
    settings = options.read(options.source, image=options.image)
    faces = options.require_source(settings)
    with compiled_to_send(settings, target, faces, scheduled=True) as compiled:
        submission = prepare_submission(settings, compiled, faces.name, name)
        change = compiled.platform.schedules().apply(schedule, submission, typer.echo)
    typer.echo(f"Schedule    {name}: {change}")
    _show_times(schedule)


@schedule_app.command("list", epilog="Example: evenface schedule list --target kubeflow")
@with_options
def list_schedules(target: PlatformTarget, options: SettingsOptions) -> None:
    """List the schedules that evenface made, with their next times."""
    states = _schedules(target, options).states()
    if not states:
        typer.echo("No schedules: create one with `evenface schedule apply`.")
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
@with_options
def pause(name: Name, target: PlatformTarget, options: SettingsOptions) -> None:
    """Stop a schedule from starting runs; a run in flight continues."""
    schedules = _schedules(target, options)
    schedules.pause(name)
    typer.echo(f"Schedule    {name}: paused")
    for state in schedules.states():
        if state.schedule.name == name and state.note:
            typer.echo(f"            {state.note}")


@schedule_app.command(epilog="Example: evenface schedule resume weekly --target kubeflow")
@with_options
def resume(name: Name, target: PlatformTarget, options: SettingsOptions) -> None:
    """Let a paused schedule start runs again."""
    schedules = _schedules(target, options)
    schedules.resume(name)
    typer.echo(f"Schedule    {name}: resumed")
    for state in schedules.states():
        if state.schedule.name == name:
            _show_times(state.schedule)


@schedule_app.command(epilog="Example: evenface schedule delete weekly --target kubeflow")
@with_options
def delete(name: Name, target: PlatformTarget, options: SettingsOptions) -> None:
    """Remove a schedule; a run in flight is left alone."""
    _schedules(target, options).delete(name)
    typer.echo(f"Schedule    {name}: deleted")


def _schedules(target: Target, options: SettingsOptions) -> "PlatformSchedules":
    settings = options.read()
    return load_platform(target, settings.resources, settings.platform).schedules()


def _show_times(schedule: Schedule) -> None:
    for position, text in enumerate(show_times(schedule.next_times(datetime.now(UTC)))):
        typer.echo(f"{'Next' if position == 0 else '':12}{text}")
