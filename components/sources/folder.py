"""Faces in a folder."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.sources.limits import SourceLimits
from components.sources.source_file import SourceFile, foreign_fault, printable, too_large_fault


def read_folder(folder: Path, limits: SourceLimits) -> Iterator[SourceFile]:
    """Yield every file below a folder, sorted by name.

    A link to a file inside the folder is read like the file. A link that points outside it, a link
    to a folder, a device, a socket or a pipe is a fault and is never opened.

    Raises:
        DataError: If the folder itself can't be listed.
    """
    root = folder.resolve()
    try:
        entries = _list(root)
    except OSError as error:
        raise DataError(
            f"The folder {folder} can't be listed ({error.strerror})", remedy="give this user read access to it"
        ) from None
    yield from _walk(root, entries, limits)


def _list(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name)


def _walk(root: Path, entries: list[os.DirEntry[str]], limits: SourceLimits) -> Iterator[SourceFile]:
    for entry in entries:
        path = Path(entry.path)
        name = printable(path.relative_to(root).as_posix())
        try:
            inner = _list(path) if entry.is_dir(follow_symlinks=False) else None
        except OSError as error:
            yield SourceFile(name, fault=Fault(Reason.UNREADABLE, f"the folder can't be listed: {error.strerror}"))
            continue
        if inner is None:
            yield _read(root, path, name, limits)
        else:
            yield from _walk(root, inner, limits)


def _read(root: Path, path: Path, name: str, limits: SourceLimits) -> SourceFile:
    try:
        fault = _special_fault(root, path) or foreign_fault(name) or too_large_fault(path.stat().st_size, limits)
        return SourceFile(name, fault=fault) if fault else SourceFile(name, path.read_bytes())
    except OSError as error:
        return SourceFile(name, fault=Fault(Reason.UNREADABLE, error.strerror or str(error)))


def _special_fault(root: Path, path: Path) -> Fault | None:
    try:
        target = path.resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError):
        return Fault(Reason.NOT_REGULAR, "the link leads nowhere" if path.is_symlink() else "the file can't be reached")
    if path.is_symlink() and not target.is_relative_to(root):
        return Fault(Reason.NOT_REGULAR, "the link points outside the source folder")
    if not stat.S_ISREG(mode):
        return Fault(Reason.NOT_REGULAR, "a link to a folder" if stat.S_ISDIR(mode) else "not a regular file")
    return None
