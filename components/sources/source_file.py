"""One file of a source, as every kind of source delivers it."""

from dataclasses import dataclass
from pathlib import PurePosixPath

from components.dataset.reasons import Fault, Reason
from components.sources.limits import SourceLimits

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Endings of an image file's name, in upper or lower case."""

_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"})


@dataclass(frozen=True)
class SourceFile:
    """A file of a source, or why it could not be delivered.

    Attributes:
        name: Path inside the source, with ``/`` between its parts.
        content: The bytes exactly as received; empty where ``fault`` is given.
        fault: Why the source did not deliver the file; None where it did.
    """

    name: str
    content: bytes = b""
    fault: Fault | None = None


def foreign_fault(name: str) -> Fault | None:
    """Return why a file can't be a face, judged by its path alone so that it need not be read, or None."""
    for part in PurePosixPath(name).parts:
        if part.startswith(".") or part.lower() in _SYSTEM_NAMES:
            return Fault(Reason.SYSTEM_FILE, f"'{part}' belongs to the operating system or a tool")
    if not name.lower().endswith(IMAGE_SUFFIXES):
        return Fault(Reason.OTHER_FILE, f"the name does not end in {', '.join(IMAGE_SUFFIXES)}")
    return None


def too_large_fault(size: int, limits: SourceLimits) -> Fault | None:
    """Return the fault of a file with more bytes than the limit, or None."""
    if size <= limits.max_file_megabytes * 2**20:
        return None
    return Fault(Reason.TOO_LARGE, f"{size} bytes, {limits.max_file_megabytes:g} MB allowed")


def printable(name: str) -> str:
    r"""Return a name that is valid Unicode: bytes that are not UTF-8 become ``\udcXX`` escapes."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
