"""One stage in one process group, which never outlives its run.

KFP's own function starts a stage as a plain child: it goes on when the run's process is killed, and so do the
processes that the stage has started itself.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from signal import SIGKILL
from threading import RLock

from kfp.local import subprocess_task_handler

from pipeline.platforms.local import stage_guard
from pipeline.platforms.local.stage_guard import end_groups, signal_group

_GATE = ("sh", "-c", 'read -r _ && exec "$@" </dev/null', "sh")
"""Waits for a line before it becomes the stage: a run that is killed earlier leaves no stage that nobody knows of."""


class StageProcesses:
    """The processes of a run's stages."""

    def __init__(self) -> None:
        self._running: dict[int, subprocess.Popen[str]] = {}
        self._guard: subprocess.Popen[str] | None = None
        self._stopped = False
        # A signal's handler runs in the main thread, in the middle of whatever that does.
        self._lock = RLock()

    @contextmanager
    def guarded(self) -> Iterator[None]:
        """Make KFP's SubprocessRunner run its stages with :meth:`run` while the block lasts; then none is left."""
        command = [sys.executable, "-I", "-S", str(Path(stage_guard.__file__))]
        original = subprocess_task_handler.run_local_subprocess
        with subprocess.Popen(command, stdin=subprocess.PIPE, text=True, start_new_session=True) as self._guard:  # noqa: S603
            subprocess_task_handler.run_local_subprocess = self.run
            try:
                yield
            finally:
                subprocess_task_handler.run_local_subprocess = original
                self.stop()

    def run(self, full_command: Sequence[str], env_vars: dict[str, str] | None = None) -> int:
        """Run a command, print its output and return its exit code, as KFP's function does.

        Args:
            full_command: The command.
            env_vars: Environment variables to add.
        """
        with self._lock:
            if self._stopped:
                return 1
            process = subprocess.Popen(  # noqa: S603 - KFP's command
                [*_GATE, *full_command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
                bufsize=1,
                env={**os.environ, **(env_vars or {})},
                start_new_session=True,
            )
            self._running[process.pid] = process
            self._tell_guard(f"+{process.pid}")
        assert process.stdin is not None and process.stdout is not None  # noqa: S101, PT018 - pipes were asked for
        with process:
            process.stdin.write("\n")
            process.stdin.close()
            for line in process.stdout:
                print(line, end="")  # noqa: T201 - KFP's runner reads what its tasks print
            code = process.wait()
        print("\n")  # noqa: T201
        signal_group(process.pid, SIGKILL)  # What the stage left behind.
        with self._lock:
            del self._running[process.pid]
            self._tell_guard(f"-{process.pid}")
        return code

    def stop(self) -> None:
        """End the stages that run, and start no more."""
        with self._lock:
            self._stopped = True
            groups = set(self._running)
        if groups:
            end_groups(groups, self._is_alive)

    def _is_alive(self, group: int) -> bool:
        if process := self._running.get(group):
            process.poll()
        return signal_group(group)

    def _tell_guard(self, line: str) -> None:
        assert self._guard is not None and self._guard.stdin is not None  # noqa: S101, PT018 - it runs
        with suppress(BrokenPipeError):  # Somebody killed it.
            self._guard.stdin.write(line + "\n")
            self._guard.stdin.flush()
