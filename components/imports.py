"""Importing libraries that fill the memory with objects."""

import gc
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
