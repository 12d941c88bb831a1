"""What a person sees of a run while it goes on: lines, a bar above them on a terminal, or nothing."""

import re
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol, TextIO

from pipeline.platforms.local.tasks import Task
from pipeline.platforms.submission import Show

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import TaskID

LINE_SECONDS = 120.0
"""How long a task says nothing more on the console after a line: a sign of life, not a log."""

_DONE_OF = re.compile(r"\b(?:epoch|trial|part|run) (\d+)(?:/| of )(\d+)")
_NARROW = 60
"""Columns below which the bar loses what it can do without."""


class Detail(StrEnum):
    """How much a person wants to see."""

    QUIET = "quiet"
    NORMAL = "normal"
    VERBOSE = "verbose"


class Display(Protocol):
    """Told of what happens in a run, by one thread at a time."""

    def begun(self, task: Task) -> None:
        """A task has begun."""

    def said(self, task: Task, line: str) -> None:
        """A task has logged a line."""

    def ended(self, task: Task, seconds: float, *, succeeded: bool) -> None:
        """A task has ended."""

    def reused(self, task: Task) -> None:
        """A task was not needed: an earlier run had done the same."""

    def note(self, line: str) -> None:
        """The run itself has something to say."""


class Silence:
    """Shows nothing."""

    def begun(self, task: Task) -> None:
        """Show nothing."""

    def said(self, task: Task, line: str) -> None:
        """Show nothing."""

    def ended(self, task: Task, seconds: float, *, succeeded: bool) -> None:
        """Show nothing."""

    def reused(self, task: Task) -> None:
        """Show nothing."""

    def note(self, line: str) -> None:
        """Show nothing."""


class Lines:
    """Shows a line as each task ends, with how far the run is, and the tasks' own lines.

    Args:
        show: Called with each line.
        total: Number of the run's tasks.
        quiet_seconds: How long a task says nothing more after a line; 0 for every line.
        beginnings: Whether a line tells that a task has begun.
        marks: Mark of a task that has begun, has ended well, has failed.
    """

    def __init__(
        self,
        show: Show,
        total: int,
        *,
        quiet_seconds: float = LINE_SECONDS,
        beginnings: bool = False,
        marks: str = "▸✓✗",
    ) -> None:
        self._show = show
        self._total = total
        self._quiet_seconds = quiet_seconds
        self._beginnings = beginnings
        self._marks = marks
        self._ended = 0
        self._last: dict[Task, float] = {}

    def begun(self, task: Task) -> None:
        """Show the beginning, if asked for."""
        self._last[task] = time.monotonic()
        if self._beginnings:
            self._show(f"{self._marks[0]} {task}")

    def said(self, task: Task, line: str) -> None:
        """Show the line, unless the task has just said something."""
        now = time.monotonic()
        if now - self._last.get(task, now) >= self._quiet_seconds:
            self._last[task] = now
            known = line.startswith(task.stage) or (task.run and task.run in line)
            self._show(f"    {line}" if known else f"    {task}: {line}")

    def ended(self, task: Task, seconds: float, *, succeeded: bool) -> None:
        """Show the end, how long the task took, and how far the run is."""
        self._end(self._marks[1] if succeeded else self._marks[2], task, show_duration(seconds))

    def reused(self, task: Task) -> None:
        """Show that there was nothing to do."""
        self._end(self._marks[1], task, "unchanged since an earlier run")

    def note(self, line: str) -> None:
        """Show the line."""
        self._show(line)

    def _end(self, mark: str, task: Task, how: str) -> None:
        self._ended += 1
        self._show(f"{mark} {task} ({how}), {self._ended} of {self._total} stages")


class Bars:
    """Lines, and below them one bar for the run and one for each task that says how far it is.

    Args:
        console: A terminal.
        lines: What is shown above the bars.
        planned: Number of tasks of each stage.
        seconds: Seconds that a task of a stage is expected to take; a stage without an expectation counts as one.
    """

    def __init__(self, console: "Console", lines: Lines, planned: Counter[str], seconds: Mapping[str, float]) -> None:
        from rich.progress import BarColumn, Progress, ProgressColumn, TaskProgressColumn, TextColumn
        from rich.progress import TimeRemainingColumn as Left

        columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
        if console.width >= _NARROW:
            columns += [
                BarColumn(bar_width=None),
                TaskProgressColumn(),
                TextColumn("{task.fields[rate]}", markup=False),
            ]
        else:
            columns += [TaskProgressColumn()]
        self.live = Progress(
            *columns,
            Left(compact=True),
            console=console,
            expand=console.width >= _NARROW,
            refresh_per_second=4,
            speed_estimate_period=3600,
            # Nothing else writes to the console, and where KFP's lines go is decided elsewhere.
            redirect_stdout=False,
            redirect_stderr=False,
            transient=True,
        )
        self._lines = lines
        self._seconds = {stage: max(seconds.get(stage, 1.0), 1e-3) for stage in planned}
        self._total = planned.total()
        self._ended = 0
        self._run = self.live.add_task(
            f"run, 0 of {self._total}",
            total=sum(self._seconds[stage] * count for stage, count in planned.items()),
            rate="",
        )
        self._bars: dict[Task, TaskID] = {}
        self._since: dict[Task, float] = {}
        self._shares: dict[Task, float] = {}

    def begun(self, task: Task) -> None:
        """Give the task a bar."""
        self._lines.begun(task)
        self._since[task], self._shares[task] = time.monotonic(), 0.0
        self._bars[task] = self.live.add_task(str(task), total=None, rate="")

    def said(self, task: Task, line: str) -> None:
        """Move the task's bar, and the run's with it, if the line says how far the task is."""
        self._lines.said(task, line)
        found = _DONE_OF.findall(line)
        if not found or task not in self._bars:
            return
        # "trial 2 of 5: epoch 3/8" is one trial and three eighths of the next one.
        share, unit = 0.0, 1.0
        for place, (done, whole) in enumerate(found):
            unit /= int(whole)
            share += (int(done) - (place < len(found) - 1)) * unit
        share = min(max(share, self._shares[task]), 1.0)
        per_minute = 60 * share / unit / max(time.monotonic() - self._since[task], 1e-3)
        self.live.update(self._bars[task], total=1.0, completed=share, rate=f"{per_minute:.1f} epochs/min")
        self._advance(task, share)

    def ended(self, task: Task, seconds: float, *, succeeded: bool) -> None:
        """Take the task's bar away."""
        self._lines.ended(task, seconds, succeeded=succeeded)
        if task in self._bars:
            self.live.remove_task(self._bars.pop(task))
        self._finish(task)

    def reused(self, task: Task) -> None:
        """Move the run's bar."""
        self._lines.reused(task)
        self._finish(task)

    def note(self, line: str) -> None:
        """Show the line."""
        self._lines.note(line)

    def _finish(self, task: Task) -> None:
        self._ended += 1
        self.live.update(self._run, description=f"run, {self._ended} of {self._total}")
        self._advance(task, 1.0)

    def _advance(self, task: Task, share: float) -> None:
        gained = share - self._shares.get(task, 0.0)
        self._shares[task] = share
        self.live.advance(self._run, gained * self._seconds.get(task.stage, 0.0))
        self.live.refresh()


def choose_display(
    stream: TextIO, detail: Detail, planned: Counter[str], seconds: Mapping[str, float]
) -> tuple[Display, AbstractContextManager[object]]:
    """Return what suits a console, and a context during which it is shown.

    A bar needs a terminal that can move its cursor; every other console gets plain lines.

    Args:
        stream: The console.
        detail: How much the user wants to see.
        planned: Number of tasks of each stage.
        seconds: Seconds that a task of a stage is expected to take.
    """
    if detail is Detail.QUIET:
        return Silence(), nullcontext()
    from rich.console import Console

    console = Console(file=stream, highlight=False)
    verbose = detail is Detail.VERBOSE

    def show(line: str) -> None:
        console.print(line, markup=False, soft_wrap=True)

    lines = Lines(
        show,
        planned.total(),
        quiet_seconds=0.0 if verbose else LINE_SECONDS,
        beginnings=verbose,
        marks=marks_for(getattr(stream, "encoding", None)),
    )
    if not console.is_terminal or console.is_dumb_terminal:
        return lines, nullcontext()
    bars = Bars(console, lines, planned, seconds)
    return bars, bars.live


def marks_for(encoding: str | None) -> str:
    """Return the marks of a beginning, an end and a failure that a console can show."""
    try:
        "▸✓✗".encode(encoding or "ascii")
    except (UnicodeEncodeError, LookupError):
        return ">+x"
    return "▸✓✗"


def show_duration(seconds: float) -> str:
    """Return a duration as people say it."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.1f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
