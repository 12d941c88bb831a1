"""Faces in a folder."""

import errno
import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.printable import printable
from components.sources.limits import SourceLimits
from components.sources.source_file import ListedFile, SourceFile, foreign_fault, too_large_fault

_GONE = frozenset({errno.ENOENT, errno.ENOTDIR, errno.ESTALE, errno.ENODEV, errno.ENOTCONN})
"""What a file that was listed can't be read for when it, its folder or its disk has gone."""


def list_folder(folder: Path, limits: SourceLimits) -> Iterator[ListedFile]:
    """Yield every file below a folder, sorted by name; they can be read in any order and in any thread.

    A link to a file inside the folder is read like the file. A link that points outside it, a link
    to a folder, a device, a socket or a pipe is a fault and is never opened.

    Raises:
        DataError: If the folder itself can't be listed. Reading a file raises it, too, if what was listed is gone.
    """
    root = folder.resolve()
    try:
        entries = _list(root)
    except OSError as error:
        raise DataError(
            f"The folder {folder} can't be listed ({error.strerror})", remedy="give this user read access to it"
        ) from None
    yield from _walk(root, entries, limits)


def _list(folder: str | Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries, the first one last."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name, reverse=True)


def _walk(root: Path, entries: list[os.DirEntry[str]], limits: SourceLimits) -> Iterator[ListedFile]:
    levels = [("", entries)]  # Folders may be nested deeper than functions may.
    while levels:
        above, entries = levels[-1]
        if not entries:
            levels.pop()
            continue
        # Taken off the list, because an entry keeps what it was asked: its status is larger than a row of the manifest.
        entry = entries.pop()
        name = above + entry.name
        try:
            inner = _list(entry.path) if entry.is_dir(follow_symlinks=False) else None
        except OSError as error:
            _check_there(root, name, error)
            fault = Fault(Reason.UNREADABLE, f"the folder can't be listed: {error.strerror}")
            yield ListedFile.faulty(printable(name), fault)
            continue
        if inner is None:
            yield _listed(root, entry, printable(name), limits)
        else:
            levels.append((f"{name}/", inner))


def _listed(root: Path, entry: os.DirEntry[str], name: str, limits: SourceLimits) -> ListedFile:
    try:
        if fault := _special_fault(root, entry) or foreign_fault(name):
            return ListedFile.faulty(name, fault)
        size = entry.stat().st_size
        if fault := too_large_fault(size, limits):
            return ListedFile.faulty(name, fault)
    except OSError as error:
        _check_there(root, name, error)
        return ListedFile.faulty(name, _unreadable(error))
    return ListedFile(name, size, partial(_read, root, entry.path, name, limits))


def _read(root: Path, path: str, name: str, limits: SourceLimits) -> SourceFile:
    try:
        with open(path, "rb", buffering=0) as file:  # A Path of each file costs as much as reading it.
            # It may have grown since it was listed.
            fault = too_large_fault(os.fstat(file.fileno()).st_size, limits)
            return SourceFile(name, fault=fault) if fault else SourceFile(name, file.read())
    except OSError as error:
        _check_there(root, name, error)
        return SourceFile(name, fault=_unreadable(error))


def _check_there(root: Path, name: str, error: OSError) -> None:
    """Raise if a file can't be read because it has gone since it was listed: that is no fault of an image."""
    if error.errno in _GONE:
        raise DataError(
            f"The source {root} changed while it was being read: '{name}' is gone",
            remedy="leave the source as it is until the run has read it, and run again",
        ) from None


def _unreadable(error: OSError) -> Fault:
    return Fault(Reason.UNREADABLE, error.strerror or str(error))


def _special_fault(root: Path, entry: os.DirEntry[str]) -> Fault | None:
    if not entry.is_symlink():
        # The walk enters no link to a folder, so the file is where its path says.
        return None if entry.is_file() else Fault(Reason.NOT_REGULAR, "not a regular file")
    try:
        target = Path(entry.path).resolve(strict=True)
        mode = target.stat().st_mode
    except (OSError, RuntimeError):
        return Fault(Reason.NOT_REGULAR, "the link leads nowhere")
    if not target.is_relative_to(root):
        return Fault(Reason.NOT_REGULAR, "the link points outside the source folder")
    if not stat.S_ISREG(mode):
        return Fault(Reason.NOT_REGULAR, "a link to a folder" if stat.S_ISDIR(mode) else "not a regular file")
    return None
