"""One log format for every stage: lines for people on one machine, JSON objects for the collectors of a cluster."""

import io
import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from types import TracebackType

from components.printable import printable

PREFIX = "evenface | "
"""Start of every line that a stage logs: the local runner shows these lines and only writes the rest to its log."""

FORMAT_VARIABLE = "EVENFACE_LOG"
"""Environment variable that chooses the format: ``json``, or anything else for plain lines."""

STAGE_VARIABLE = "EVENFACE_STAGE"
"""Environment variable with the stage's name, part of every JSON object."""


def log_to_console() -> None:
    """Send the stages' log messages to standard output, one line each.

    Where ``EVENFACE_LOG`` is ``json``, each line is an object with ``severity``, ``time``, ``message`` and ``stage``:
    the names that Google Cloud Logging reads from a container's output, and Loki's ``json`` parser makes labels of any.
    The error that ends the process becomes one such object too, with its ``stack_trace``.

    KFP's executor logs the component's entire source code and input through the root
    logger; the stages' own messages are kept out of it.
    """
    logger = logging.getLogger("components")
    if isinstance(sys.stdout, io.TextIOWrapper):  # Whoever reads it may know fewer characters than messages have.
        sys.stdout.reconfigure(errors="replace")
    handler = logging.StreamHandler(sys.stdout)
    if os.environ.get(FORMAT_VARIABLE) == "json":
        handler.setFormatter(_JsonLines())
        sys.excepthook = _log_the_end
    else:
        handler.setFormatter(_OneLine())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _JsonLines(logging.Formatter):
    """One JSON object on one line for each message."""

    def format(self, record: logging.LogRecord) -> str:
        trace = self.formatException(record.exc_info) if record.exc_info else None
        return _line(record.levelname, record.created, printable(record.getMessage()), trace)


def _line(severity: str, seconds: float, message: str, trace: str | None) -> str:
    time = datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    entry = {"severity": severity, "time": time, "message": message, "stage": os.environ.get(STAGE_VARIABLE, "")}
    if trace is not None:
        entry["stack_trace"] = trace
    return json.dumps(entry, ensure_ascii=False)


def _log_the_end(kind: type[BaseException], error: BaseException, where: TracebackType | None) -> None:
    """Print the error that nothing has caught: its name and its message on one line, as a traceback ends."""
    now = datetime.now(UTC).timestamp()
    trace = "".join(traceback.format_exception(kind, error, where))
    sys.stdout.write(_line("CRITICAL", now, printable(f"{kind.__name__}: {error}"), trace) + "\n")
    sys.stdout.flush()


class _OneLine(logging.Formatter):
    """Puts each message into one printable line, so that nothing that it quotes can pass for a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        return PREFIX + printable(record.getMessage())
