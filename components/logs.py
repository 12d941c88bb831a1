"""One log format for every stage, wherever it runs."""

import io
import logging
import sys

from components.printable import printable

PREFIX = "evenface | "
"""Start of every line that a stage logs: the local runner shows these lines and only writes the rest to its log."""


def log_to_console() -> None:
    """Send the stages' log messages to standard output, one line each.

    KFP's executor logs the component's entire source code and input through the root
    logger; the stages' own messages are kept out of it.
    """
    logger = logging.getLogger("components")
    if isinstance(sys.stdout, io.TextIOWrapper):  # Whoever reads it may know fewer characters than messages have.
        sys.stdout.reconfigure(errors="replace")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(_OneLine())
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False


class _OneLine(logging.Formatter):
    """Puts each message into one printable line, so that nothing that it quotes can pass for a line of its own."""

    def format(self, record: logging.LogRecord) -> str:
        return PREFIX + printable(record.getMessage())
