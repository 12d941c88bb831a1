"""A worker of a parallel search: ``python -m components.tune.worker``, started by :mod:`components.tune.parallel`.

It reads the search from its standard input, which the stage holds open for as long as it lives. TensorFlow is
imported only once the worker watches for the stage's end.
"""

import os
import signal
import sys
import threading


def main() -> None:
    """Run trials until the chief has none left, or the stage is gone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # The stage, interrupted, ends its workers itself.
    search, threads = sys.stdin.readline(), int(sys.stdin.readline())
    threading.Thread(target=_end_with_stage, daemon=True).start()

    from components.logs import log_to_console
    from components.tune.search import Search, work_on

    log_to_console()
    work_on(Search.model_validate_json(search), threads)


def _end_with_stage() -> None:
    # Not sys.stdin, whose lock a blocked thread would hold when the interpreter ends.
    while os.read(0, 1024):
        pass
    os._exit(1)


if __name__ == "__main__":
    main()
