"""Importing libraries that fill the memory with objects, and the console with notices."""

import gc
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def lasting_imports() -> Iterator[None]:
    """Keep Python's garbage collector away from the modules that the block imports.

    TensorFlow and its companions are a million objects that live as long as the process. The collector
    would search them over and over while they are imported, while graphs are traced and once more at the end, which
    was 2 of the 5 seconds of processor time of a stage that imports them and does nothing else.

    Example:
        >>> with lasting_imports():
        ...     import json
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()


@contextmanager
def without_notices() -> Iterator[None]:
    """Keep what the block writes to standard error to itself, unless it raises.

    TensorFlow's start-up notices come from C++, before it has read the variable that would silence them.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as kept:
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            sys.stderr.flush()
            os.dup2(shown, 2)
            kept.seek(0)
            os.write(2, kept.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(shown, 2)
            os.close(shown)
