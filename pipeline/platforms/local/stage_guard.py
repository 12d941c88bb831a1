"""Ends the stages of a run whose own process is gone: ``python stage_guard.py``, started with the run.

It reads ``+GROUP`` and ``-GROUP``, one a line, for each process group that begins and ends. Its standard input ends
when the run's process does, however that ends; then the groups that are left end, too. Imports nothing of evenface, so
that it starts in no time.
"""

import os
import signal
import sys
import time
from collections.abc import Callable

GRACE_SECONDS = 3.0
"""How long a stage may take to save its state after it has been asked to end."""


def main() -> None:
    """Watch until the run's process ends."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        (groups.add if line[0] == "+" else groups.discard)(int(line[1:]))
    end_groups(groups)


def end_groups(groups: set[int], is_alive: Callable[[int], bool] | None = None) -> None:
    """Ask process groups to end, and kill those that have not after a while.

    Args:
        groups: Numbers of the groups.
        is_alive: Says whether a group has a member that has not ended; None to ask the system, which also counts
            those that ended and that nobody waited for.
    """
    for group in groups:
        signal_group(group, signal.SIGTERM)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any((is_alive or signal_group)(group) for group in groups):
        time.sleep(0.05)
    for group in groups:
        signal_group(group, signal.SIGKILL)


def signal_group(group: int, number: int = 0) -> bool:
    """Send a signal to a process group, by default none; return whether the group has a member."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return False
    return True


if __name__ == "__main__":
    main()
