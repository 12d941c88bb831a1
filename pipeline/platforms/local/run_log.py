"""What a local run prints, sorted: all of it into KFP's log, the stages' own lines into the run's and to the user."""

import builtins
import contextlib
import re
import threading
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, TextIO

from kfp.local import status, task_dispatcher

from components.logs import PREFIX
from pipeline.platforms.causes import cause_in
from pipeline.platforms.local.display import Display, Lines, Silence
from pipeline.platforms.local.run_record import StageTiming
from pipeline.platforms.local.tasks import Task

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")


class RunLog:
    """A text stream that sorts what KFP and its tasks print, and remembers why a stage failed.

    KFP runs parallel branches in threads of this process, and each prints in its own: whatever a thread writes while
    it runs a task is that task's.

    Args:
        everything: File of every line, each with its task.
        own: File of the stages' own lines and of what happened when.
        display: Told of the same.
        total: Number of the run's tasks.
        places: Names for paths of this machine, which are not written: the files may be handed on with the results.

    Attributes:
        failed: The first task that failed, or None.
        cause: Why, in one sentence.
        stages: The tasks that have ended, in order.
    """

    encoding = "utf-8"

    def __init__(
        self, everything: TextIO, own: TextIO, display: Display, total: int, places: Mapping[str, str] | None = None
    ) -> None:
        self.failed: Task | None = None
        self.cause = ""
        self.stages: list[StageTiming] = []
        self._file = everything
        self._own = own
        self._displays: list[Display] = [
            display, Lines(self._write_own, total, quiet_seconds=0.0, beginnings=True)
        ]  # fmt: skip
        self._places = dict(places or {})
        # The longest first: one path may lie below another.
        paths = "|".join(re.escape(path) for path in sorted(self._places, key=len, reverse=True))
        self._path = re.compile(rf"(?<![\w.-])(?:{paths})(?![\w.-])") if paths else None
        self._branch = threading.local()
        # A signal's handler runs in the main thread, in the middle of whatever that does.
        self._lock = threading.RLock()

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Learn of every task that KFP runs while the block lasts: what KFP prints about it does not name its run."""
        original = task_dispatcher.run_single_task_implementation
        # KFP indents what a task prints by another `print`; of two branches, one may put back the other's for good.
        plain = builtins.print

        def run(*positional: Any, **named: Any) -> Any:
            task = Task.of(named["component_name"], named["arguments"])
            self._branch.task, self._branch.error = task, ""
            self._tell("begun", task)
            started, succeeded = time.monotonic(), False
            try:
                outputs, outcome = original(*positional, **named)
                succeeded = outcome == status.Status.SUCCESS
                return outputs, outcome
            finally:
                self._finish(task, time.monotonic() - started, succeeded=succeeded)
                self._branch.task = None

        task_dispatcher.run_single_task_implementation = run
        try:
            yield
        finally:
            task_dispatcher.run_single_task_implementation = original
            builtins.print = plain

    def write(self, text: str) -> int:
        """Take text, whole lines or parts of lines, of the thread's own task."""
        *lines, self._branch.rest = (getattr(self._branch, "rest", "") + text).split("\n")
        with self._lock:
            for line in lines:
                self._take(_COLOUR.sub("", line))
        return len(text)

    def flush(self) -> None:
        """Flush the files."""
        with contextlib.suppress(OSError):
            self._file.flush()
            self._own.flush()

    def silence(self) -> None:
        """Show no more: what an interrupted run still says is of no use to who interrupted it."""
        self._displays[0] = Silence()

    def isatty(self) -> bool:
        """Return False: nothing here needs colours."""
        return False

    def reused(self, task: Task) -> None:
        """Take note of a task whose result an earlier run left."""
        with self._lock:
            self.stages.append(StageTiming(stage=task.stage, outcome="reused", seconds=0.0))
            self._tell("reused", task)

    def note(self, line: str) -> None:
        """Show a line of the run itself."""
        self._tell("note", line)

    def _take(self, line: str) -> None:
        task: Task | None = getattr(self._branch, "task", None)
        # A full disk ends the run where the space is needed, and with one sentence; a log line is not worth more.
        with contextlib.suppress(OSError):
            self._file.write(f"[{task}] {self._named(line)}\n" if task else f"{self._named(line)}\n")
        stripped = line.strip()
        if PREFIX in stripped:
            self._tell("said", task or Task("run"), stripped.split(PREFIX, 1)[1])
        elif cause := cause_in(stripped):
            self._branch.error = cause

    def _finish(self, task: Task, seconds: float, *, succeeded: bool) -> None:
        with self._lock:
            self._tell("ended", task, seconds, succeeded=succeeded)
            ended: Literal["done", "failed"] = "done" if succeeded else "failed"
            self.stages.append(StageTiming(stage=task.stage, outcome=ended, seconds=round(seconds, 2)))
            if not succeeded and self.failed is None:
                self.failed = task
                self.cause = self._branch.error or (
                    "its process ended without an error message, perhaps killed for lack of memory: "
                    f"see the end of {getattr(self._file, 'name', 'the log')}."
                )

    def _tell(self, event: str, *about: Any, **more: Any) -> None:
        with self._lock:
            for display in self._displays:
                getattr(display, event)(*about, **more)

    def _write_own(self, line: str) -> None:
        with contextlib.suppress(OSError):
            self._own.write(f"{datetime.now():%H:%M:%S} {self._named(line)}\n")
            self._own.flush()

    def _named(self, line: str) -> str:
        """Return a line with names in place of this machine's paths."""
        return self._path.sub(lambda match: self._places[match[0]], line) if self._path else line


def failure_of(log: RunLog, where: Path) -> tuple[str, str]:
    """Return the problem and the cause of a run that KFP says has failed.

    Args:
        log: Its log.
        where: File to name where the log knows no cause.
    """
    if log.failed is None:
        return "The run failed", f"see {where}"
    run = f" ({log.failed.run})" if log.failed.run else ""
    return f"Stage {log.failed.stage}{run} failed", log.cause
