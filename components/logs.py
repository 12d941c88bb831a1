"""One log format for every stage, wherever it runs."""

import logging
import sys

PREFIX = "evenface | "
"""Start of every line that a stage logs: the local runner shows these lines and only writes the rest to its log."""


def log_to_console() -> None:
    """Send the stages' log messages to standard output, one line each.

    KFP's executor logs the component's entire source code and input through the root
    logger; the stages' own messages are kept out of it.
    """
    logger = logging.getLogger("components")
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter(f"{PREFIX}%(message)s"))
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
