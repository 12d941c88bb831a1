"""One run at a time in one folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from components.errors import RequestError
from pipeline.platforms.local.run_folder import RunFolder


@contextmanager
def locked(folder: RunFolder) -> Iterator[None]:
    """Keep other runs out of a folder while the block lasts; the system lifts the lock however the process ends.

    Raises:
        RequestError: If another run holds the lock; the message says which and since when.
    """
    folder.state.mkdir(parents=True, exist_ok=True)
    folder.lock.touch()
    descriptor = take_lock(folder.lock)
    if descriptor is None:
        holder = folder.lock.read_text(encoding="utf-8").strip() or "which has just begun"
        raise RequestError(
            f"Another run uses {folder.path} ({holder})", remedy="wait until it ends, or pass --output another folder"
        )
    try:
        since = datetime.now().astimezone()
        folder.lock.write_text(f"process {os.getpid()}, since {since:%Y-%m-%d %H:%M:%S %z}\n", encoding="utf-8")
        yield
    finally:
        os.close(descriptor)


def take_lock(path: Path) -> int | None:
    """Lock a file or folder that exists, until the descriptor is closed or the process ends.

    Returns:
        The descriptor; None if another process holds the lock, or if nothing is at the path any more.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return None
    with suppress(BlockingIOError, FileNotFoundError):
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # What is removed takes its lock with it: a new one may be there by now.
        if os.path.samestat(os.fstat(descriptor), path.stat()):
            return descriptor
    os.close(descriptor)
    return None
