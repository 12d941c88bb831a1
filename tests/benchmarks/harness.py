"""Two ways of doing the same thing, measured in turn: A B, B A, A B …

Each way runs in a process of its own, so neither shares memory, imports, compiled kernels or thread pools with the
other. While one takes its turn the other waits. What is compared is a pair of turns that follow each other at
once, so that a machine that slows down for a minute slows both.
"""

import multiprocessing
import os
import resource
import signal
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from tests.benchmarks.faces import Faces

_STATUS = Path("/proc/self/status")
_SECONDS_TO_END = 20.0
_WINDOW_SECONDS, _QUIET_SHARE = 0.05, 0.1


@dataclass(frozen=True)
class Cost:
    """What one turn cost.

    Attributes:
        cpu_seconds: User and system time of the process, all its threads and the processes that it waited for.
        wall_seconds: Time that passed.
        peak_megabytes: Largest resident memory so far of the process, or of a process that it waited for.
        units: What the turn did (images, files, resamples), to divide by.
    """

    cpu_seconds: float
    wall_seconds: float
    peak_megabytes: float
    units: int = 1

    @property
    def cpu_per_unit(self) -> float:
        """CPU seconds per unit."""
        return self.cpu_seconds / self.units

    @property
    def wall_per_unit(self) -> float:
        """Seconds that passed, per unit."""
        return self.wall_seconds / self.units


@dataclass(frozen=True)
class Pair:
    """Two turns, one right after the other."""

    ours: Cost
    other: Cost


class WayError(Exception):
    """A way of a row could not be measured; the message is one line."""


class Turns:
    """What a way is given: its turns, to be iterated, or to be begun and ended one by one.

    The body of the loop is what is measured. A turn lasts until the process is quiet: a loader whose threads
    deliver from a buffer, and fill it again once nobody asks, has done the work of a turn only then.

    Attributes:
        total: Number of turns, the unmeasured first included.
        units: Set by the way: what a turn does, to divide by.

    Example:
        >>> def epochs(faces: Faces, turns: Turns) -> None:
        ...     batches = prepare(faces)
        ...     turns.units = len(batches)
        ...     for _ in turns:
        ...         consume(batches)
    """

    def __init__(self, connection: Connection, total: int) -> None:
        self.total = total
        self.units = 1
        self._connection = connection
        self._began = 0.0
        self._cpu_before = 0.0

    def __iter__(self) -> Iterator[int]:
        """Yield the number of each turn, from 0."""
        for turn in range(self.total):
            self.begin()
            yield turn
            self.end()

    def begin(self) -> None:
        """Wait until it is this way's turn."""
        self._connection.recv()
        self._began, self._cpu_before = time.perf_counter(), _cpu_seconds()

    def end(self) -> None:
        """Wait until the process is quiet, and report what the turn cost."""
        ended = _wait_until_quiet()
        spent = _cpu_seconds() - self._cpu_before
        self._connection.send(Cost(spent, ended - self._began, _peak_megabytes(), self.units))


Way = Callable[[Faces, Turns], None]
"""One way of doing something. It imports what is slow to import itself: the bench stays small and starts at once."""


def alternate(
    ours: Way, other: Way, faces: Faces, *, pairs: int, warm_up: int = 1, fresh: bool = False, limit_seconds: float
) -> list[Pair]:
    """Measure two ways in turn.

    Args:
        ours: A function of a module, so that another process can import it.
        other: What it is compared with.
        faces: What both work on.
        pairs: Number of pairs; every second one has the other way first.
        warm_up: Number of turns of each process that are not counted: first calls compile, buffers find their size.
        fresh: Whether every turn gets a new process, for what a process does only once or for its peak of memory.
        limit_seconds: Longest that a turn, with what the way does before it, may take.

    Raises:
        WayError: If a way fails, ends early or takes too long.
    """
    measured = []
    if fresh:
        for pair in range(pairs):
            costs = {}
            for place in _order(pair):
                with _Process((ours, other)[place], faces, 1 + warm_up, limit_seconds) as process:
                    for _ in range(1 + warm_up):
                        costs[place] = process.take_turn()
            measured.append(Pair(costs[0], costs[1]))
        return measured
    total = pairs + warm_up
    with _Process(ours, faces, total, limit_seconds) as first, _Process(other, faces, total, limit_seconds) as second:
        processes = first, second
        for pair in range(total):
            costs = {place: processes[place].take_turn() for place in _order(pair)}
            measured.append(Pair(costs[0], costs[1]))
    return measured[warm_up:]


def _order(pair: int) -> tuple[int, int]:
    return (1, 0) if pair % 2 else (0, 1)


class _Process(AbstractContextManager["_Process"]):
    """A process in which a way takes its turns; it ends with the block."""

    def __init__(self, way: Way, faces: Faces, turns: int, limit_seconds: float) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._limit_seconds = limit_seconds
        self._process = context.Process(target=_serve, args=(way, faces, theirs, turns), daemon=False)
        self._process.start()
        theirs.close()

    def take_turn(self) -> Cost:
        """Let the way take a turn and return what it cost."""
        try:
            self._connection.send("go")
            if not self._connection.poll(self._limit_seconds):
                raise WayError(f"took longer than {self._limit_seconds:g} s")
            answer = self._connection.recv()
        except (EOFError, BrokenPipeError, ConnectionResetError):
            self._process.join(_SECONDS_TO_END)
            raise WayError(f"ended with exit code {self._process.exitcode} before its turns were over") from None
        if isinstance(answer, Cost):
            return answer
        raise WayError(answer)

    def __exit__(self, *exception: object) -> None:
        """End the process, by force where it does not end by itself."""
        self._connection.close()
        self._process.join(0 if any(exception) else _SECONDS_TO_END)
        if self._process.is_alive() and self._process.pid:
            # With the processes that it started, such as a run of the demo.
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.join()


def _serve(way: Way, faces: Faces, connection: Connection, turns: int) -> None:
    """Run a way in this process, the first of a group; what it prints goes to a log in the bench's folder."""
    os.setpgrp()
    log = os.open(faces.folder / "ways.log", os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    os.dup2(log, 1)
    os.dup2(log, 2)
    try:
        way(faces, Turns(connection, turns))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        return  # The bench gave up on this way.
    except Exception as error:  # noqa: BLE001 - a row that fails must not end the bench
        traceback.print_exc()
        text = " ".join(str(error).split())[:200]
        with suppress(OSError, EOFError):
            connection.send(f"{type(error).__name__}: {text}" if text else type(error).__name__)
            while True:  # Until the bench has read it and hangs up: a pipe closed too early loses it.
                connection.recv()


def _wait_until_quiet() -> float:
    """Wait until no thread works any more, and return when that was."""
    ended, quiet = time.perf_counter(), 0
    while quiet < 2:
        busy = time.process_time()
        time.sleep(_WINDOW_SECONDS)
        if time.process_time() - busy < _QUIET_SHARE * _WINDOW_SECONDS:
            quiet += 1
        else:
            ended, quiet = time.perf_counter(), 0
    return ended


def _cpu_seconds() -> float:
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _peak_megabytes() -> float:
    """Return the largest resident memory of this process, or of one that it waited for.

    On Linux, ``ru_maxrss`` starts with what the parent held when it forked, so the kernel's own
    high-water mark of this process's memory is read where there is one.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if _STATUS.is_file():
        marks = [line.split()[1] for line in _STATUS.read_text().splitlines() if line.startswith("VmHWM")]
        own = int(marks[0]) if marks else own
    return max(own, children) * 1024 / 1e6
