"""Faces in a folder."""

import os
import stat
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.sources.limits import SourceLimits
from components.sources.source_file import ListedFile, SourceFile, foreign_fault, printable, too_large_fault


def list_folder(folder: Path, limits: SourceLimits) -> Iterator[ListedFile]:
    """Yield every file below a folder, sorted by name; they can be read in any order and in any thread.

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
    yield from _walk(root, entries, "", limits)


def _list(folder: str | Path) -> list[os.DirEntry[str]]:
    """Return a folder's entries, the first one last."""
    with os.scandir(folder) as entries:
        return sorted(entries, key=lambda entry: entry.name, reverse=True)


def _walk(root: Path, entries: list[os.DirEntry[str]], above: str, limits: SourceLimits) -> Iterator[ListedFile]:
    # Taken off the list, because an entry keeps what it was asked: its status is larger than a row of the manifest.
    while entries:
        entry = entries.pop()
        name = above + entry.name
        try:
            inner = _list(entry.path) if entry.is_dir(follow_symlinks=False) else None
        except OSError as error:
            fault = Fault(Reason.UNREADABLE, f"the folder can't be listed: {error.strerror}")
            yield ListedFile.faulty(printable(name), fault)
            continue
        if inner is None:
            yield _listed(root, entry, printable(name), limits)
        else:
            yield from _walk(root, inner, f"{name}/", limits)


def _listed(root: Path, entry: os.DirEntry[str], name: str, limits: SourceLimits) -> ListedFile:
    try:
        if fault := _special_fault(root, entry) or foreign_fault(name):
            return ListedFile.faulty(name, fault)
        size = entry.stat().st_size
        if fault := too_large_fault(size, limits):
            return ListedFile.faulty(name, fault)
    except OSError as error:
        return ListedFile.faulty(name, _unreadable(error))
    return ListedFile(name, size, partial(_read, entry.path, name))


def _read(path: str, name: str) -> SourceFile:
    try:
        with open(path, "rb", buffering=0) as file:  # A Path of each file costs as much as reading it.
            return SourceFile(name, file.read())
    except OSError as error:
        return SourceFile(name, fault=_unreadable(error))


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
