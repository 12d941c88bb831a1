"""What a local run prints, sorted: all of it into a file, the stages' own lines to the user."""

import contextlib
import re
import time
from collections.abc import Callable, Mapping
from threading import Lock
from typing import Literal, TextIO

from components.logs import PREFIX
from pipeline.platforms.causes import cause_in
from pipeline.platforms.local.run_record import StageTiming

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_STARTED = re.compile(r"Executing task '([\w-]+)'")
_FINISHED = re.compile(r"Task '([\w-]+)' finished with status (SUCCESS|FAILURE)")
_CACHED = re.compile(r"Task '?([\w-]+)'? cache hit")


class RunLog:
    """A text stream that writes every line to a file, shows the stages' own lines, and remembers why a stage failed.

    Args:
        file: The file.
        show: Called with each of the stages' own lines.
        places: Names for paths of this machine, which are not written: the file may be handed on with the results.

    Attributes:
        failed_stage: The first stage that failed, or None.
        cause: Why, in one sentence.
        stages: The tasks that have ended, in order.
    """

    encoding = "utf-8"

    def __init__(self, file: TextIO, show: Callable[[str], None], places: Mapping[str, str] | None = None) -> None:
        self.failed_stage: str | None = None
        self.cause = ""
        self.stages: list[StageTiming] = []
        self._file = file
        self._show = show
        self._places = dict(places or {})
        # The longest first: one path may lie below another.
        paths = "|".join(re.escape(path) for path in sorted(self._places, key=len, reverse=True))
        self._path = re.compile(rf"(?<![\w.-])(?:{paths})(?![\w.-])") if paths else None
        self._rest = ""
        self._last_error = ""
        self._started: dict[str, list[float]] = {}
        self._lock = Lock()

    def write(self, text: str) -> int:
        """Take text, whole lines or parts of lines."""
        with self._lock:
            *lines, self._rest = (self._rest + text).split("\n")
            for line in lines:
                self._take(_COLOUR.sub("", line))
        return len(text)

    def flush(self) -> None:
        """Flush the file."""
        with contextlib.suppress(OSError):
            self._file.flush()

    def silence(self) -> None:
        """Show no more lines: what an interrupted run still says is of no use to who interrupted it."""
        self._show = lambda line: None

    def isatty(self) -> bool:
        """Return False: nothing here needs colours."""
        return False

    def _take(self, line: str) -> None:
        shown = self._path.sub(lambda match: self._places[match[0]], line) if self._path else line
        # A full disk ends the run where the space is needed, and with one sentence; a log line is not worth more.
        with contextlib.suppress(OSError):
            self._file.write(shown + "\n")
        stripped = line.strip()
        if PREFIX in stripped:
            self._show("    " + stripped.split(PREFIX, 1)[1])
        elif match := _STARTED.search(stripped):
            self._started.setdefault(_stage(match[1]), []).append(time.monotonic())
            self._show(f"▸ {_stage(match[1])}")
        elif match := _FINISHED.search(stripped):
            self._finish(_stage(match[1]), succeeded=match[2] == "SUCCESS")
        elif match := _CACHED.search(stripped):
            self._show(f"✓ {_stage(match[1])} (unchanged since an earlier run)")
            self.stages.append(StageTiming(stage=_stage(match[1]), outcome="reused", seconds=0.0))
        elif cause := cause_in(stripped):
            self._last_error = cause

    def _finish(self, stage: str, *, succeeded: bool) -> None:
        starts = self._started.get(stage) or [time.monotonic()]
        seconds = time.monotonic() - starts.pop(0)
        self._show(f"{'✓' if succeeded else '✗'} {stage} ({seconds:.0f} s)")
        ended: Literal["done", "failed"] = "done" if succeeded else "failed"
        self.stages.append(StageTiming(stage=stage, outcome=ended, seconds=round(seconds, 2)))
        if not succeeded and self.failed_stage is None:
            self.failed_stage = stage
            self.cause = self._last_error or (
                "its process ended without an error message, perhaps killed for lack of memory: "
                f"see the end of {self._file.name}."
            )


def _stage(task: str) -> str:
    """Return the stage's own name: KFP writes tasks with hyphens."""
    return task.replace("-", "_")
