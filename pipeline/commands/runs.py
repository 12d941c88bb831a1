"""``evenface runs``: the runs below a folder, and the removal of old ones."""

import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer

from components.errors import ArtifactError, RequestError
from pipeline.platforms.local.lock import take_lock
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.run_record import RunRecord

_UNITS = {"h": "hours", "d": "days", "w": "weeks"}
_AGE = re.compile(r"(\d{1,5})([hdw])")

runs_app = typer.Typer(
    help="List the runs of this machine, put two side by side, and remove old ones.",
    epilog="Example: evenface runs clean --older-than 30d",
)
Below = Annotated[Path, typer.Option("--in", help="Folder that holds the runs' folders.", file_okay=False)]


@dataclass(frozen=True)
class _Run:
    """A folder that a run has written.

    Attributes:
        folder: The folder.
        record: What the run says of itself; None if it says nothing that this version understands.
        running: Whether a process holds the folder's lock.
    """

    folder: RunFolder
    record: RunRecord | None
    running: bool

    @property
    def latest(self) -> datetime:
        """When the run ended; when it began, if it was killed."""
        if self.record is not None:
            return self.record.ended or self.record.started
        return datetime.fromtimestamp(self.folder.state.stat().st_mtime, UTC)

    @property
    def outcome(self) -> str:
        """How the run went, in a few words."""
        if self.running:
            return "running"
        if self.record is None:
            return "unknown"
        if self.record.outcome == "running":
            return "killed"
        if self.record.standing is None:
            return self.record.outcome
        return ": ".join(filter(None, (self.record.standing, self.record.recommended)))


@runs_app.callback(invoke_without_command=True)
def runs(context: typer.Context, below: Below = Path("runs")) -> None:
    """List the runs below a folder, the latest first."""
    if context.invoked_subcommand is not None:
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))
    for column in ("date", "folder", "source", "preset", "outcome"):
        table.add_column(column, overflow="fold")
    table.add_column("size", justify="right", no_wrap=True)
    found = _find(below)
    for run in found:
        source, preset = (run.record.request.source, run.record.request.preset) if run.record else ("–", "–")
        date = f"{run.latest.astimezone():%Y-%m-%d %H:%M}"
        cells = (date, str(run.folder.path), source, preset, run.outcome, _show_size(_size(run.folder.path)))
        table.add_row(*(cell.replace("[", r"\[") for cell in cells))
    if found:
        Console().print(table)
    else:
        typer.echo(f"There is no run in {below}.")


@runs_app.command("clean", epilog="Example: evenface runs clean --older-than 30d --dry-run")
def clean(
    older_than: Annotated[str, typer.Option(help="Age from which on runs go, in hours, days or weeks: 12h, 30d, 8w.")],
    below: Below = Path("runs"),
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
) -> None:
    """Remove the runs that ended longer ago than an age, with their models; never one that is running."""
    limit = datetime.now(UTC) - _parse_age(older_than)
    freed = count = 0
    for run in _find(below):
        if run.latest >= limit:
            continue
        path, size = run.folder.path, _size(run.folder.path)
        descriptor = take_lock(run.folder.lock)
        if descriptor is None and run.folder.lock.exists():
            typer.echo(f"kept      {path} (it is running)")
            continue
        if not dry_run:
            # Whatever may be reused goes last: an interrupted removal still looks like a run.
            for item in sorted(path.iterdir(), key=lambda item: item == run.folder.state):
                shutil.rmtree(item) if item.is_dir() and not item.is_symlink() else item.unlink()
            path.rmdir()
        if descriptor is not None:
            os.close(descriptor)
        freed, count = freed + size, count + 1
        done = "would go" if dry_run else "removed"
        typer.echo(f"{done:<9} {path} ({run.latest.astimezone():%Y-%m-%d}, {_show_size(size)})")
    typer.echo(f"{count} run{'' if count == 1 else 's'}, {_show_size(freed)}{' (dry run)' if dry_run else ''}")


@runs_app.command("compare", epilog="Example: evenface runs compare demo weekly")
def compare(
    first: Annotated[str, typer.Argument(help="Folder of a finished run, or its name below --in.")],
    second: Annotated[str, typer.Argument(help="Another one, whose differences from the first are told.")],
    below: Below = Path("runs"),
    output: Annotated[
        Path | None, typer.Option(help="HTML file for the same, with charts and each run's answer.", dir_okay=False)
    ] = None,
) -> None:
    """Put two runs side by side: differences with intervals where both were judged on the same test faces."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    from components.compare.contract import Comparison
    from components.compare.run_pairs import FinishedRun, pair_runs
    from components.evaluation.catalogue import CATALOGUE
    from pipeline.commands.report import finished_run

    folders = [finished_run(below / name if (below / name).is_dir() else Path(name)) for name in (first, second)]
    sides = [
        FinishedRun(f"{place}. {folder.path.name}", Comparison.read(folder.comparison), folder.predictions)
        for place, folder in enumerate(folders, 1)
    ]
    pair = pair_runs(sides[0], sides[1])
    if output is not None:
        from components.compare.report.render import render_runs
        from components.files import atomic_path

        with atomic_path(output) as draft:
            draft.write_text(render_runs(pair), encoding="utf-8")
        typer.echo(f"Written to {output}")

    title = f"{folders[1].path} against {folders[0].path}"
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, title=Text(title), title_justify="left")
    for column in ("row", "metric"):
        table.add_column(column, overflow="fold")
    for column in ("first", "second", *(["difference"] if pair.paired else [])):
        table.add_column(column, justify="right")
    labels = [side.comparison.dataset.labels for side in sides]
    for change in pair.changes:
        metric = CATALOGUE[change.metric]
        units = dict.fromkeys(filter(None, map(metric.unit, labels)))

        def number(value: float | None, decimals: int = metric.decimals, sign: str = "") -> str:
            return "–" if value is None else f"{value:{sign}.{decimals}f}"

        cells = [change.row, ", ".join([metric.title, *units]), number(change.a), number(change.b)]
        if pair.paired:
            ends = "" if change.low is None else f" ({number(change.low, sign='+')} to {number(change.high, sign='+')})"
            cells.append(f"{number(change.difference, sign='+')}{ends}{' *' if change.differs else ''}")
        table.add_row(*map(Text, cells))
    Console().print(table)
    if pair.paired:
        typer.echo(f"\n* the {100 * pair.confidence:g} % interval of the difference, paired by face, leaves out zero.")
    for note in pair.notes:
        typer.echo(note)


def _find(below: Path) -> list[_Run]:
    """Return the runs in a folder, the latest first."""
    if not below.is_dir():
        return []
    folders = [RunFolder(path) for path in below.iterdir() if path.is_dir() and not path.is_symlink()]
    found = [_Run(folder, _record(folder), _is_locked(folder)) for folder in folders if folder.state.is_dir()]
    return sorted(found, key=lambda run: run.latest, reverse=True)


def _record(folder: RunFolder) -> RunRecord | None:
    try:
        return RunRecord.read(folder.record)
    except ArtifactError:
        return None


def _is_locked(folder: RunFolder) -> bool:
    if not folder.lock.exists():
        return False
    descriptor = take_lock(folder.lock)
    if descriptor is None:
        return True
    os.close(descriptor)
    return False


def _parse_age(text: str) -> timedelta:
    match = _AGE.fullmatch(text)
    if match is None:
        raise RequestError(f"--older-than {text} is no age", remedy="write a number with h, d or w, such as 30d")
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def _size(folder: Path) -> int:
    """Return the bytes of all files below a folder."""
    return sum(path.lstat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def _show_size(size: int) -> str:
    return f"{size / 1e9:.1f} GB" if size >= 1e9 else f"{size / 1e6:.1f} MB"
