"""One file of a source, as every kind of source delivers it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.dataset.reasons import Fault, Reason
from components.sources.limits import SourceLimits

if TYPE_CHECKING:
    from components.sources.table_labels import Stated

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")
"""Endings of an image file's name, in upper or lower case."""

_SYSTEM_NAMES = frozenset({"__macosx", "thumbs.db", "desktop.ini", "$recycle.bin", "system volume information"})


@dataclass(frozen=True, slots=True)
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


@dataclass(frozen=True, slots=True)
class ListedFile:
    """A file that a source has listed but not read.

    Attributes:
        name: Path inside the source, with ``/`` between its parts.
        size: Bytes that reading it will bring into memory, as listed.
        read: Reads it; :meth:`components.sources.source.Source.list_files` says until when that is possible.
        identity: What tells its content from any other without reading it, where the source knows such a thing.
        stated: What its row states, where a table names the file.
    """

    name: str
    size: int
    read: Callable[[], SourceFile]
    identity: str = ""
    stated: "Stated | None" = None

    @classmethod
    def faulty(cls, name: str, fault: Fault, stated: "Stated | None" = None) -> "ListedFile":
        """Return a file that is not going to be read."""
        file = SourceFile(name, fault=fault)
        return cls(name, 0, lambda: file, stated=stated)

    def fetched(self) -> "ListedFile":
        """Read the file now, so that it can be read again at any time."""
        file = self.read()
        return ListedFile(file.name, len(file.content), lambda: file, stated=self.stated)


def foreign_fault(name: str) -> Fault | None:
    """Return why a file can't be a face, judged by its path alone so that it need not be read, or None."""
    for part in name.split("/"):
        if (part.startswith(".") and part != ".") or part.lower() in _SYSTEM_NAMES:
            return Fault(Reason.SYSTEM_FILE, f"'{part}' belongs to the operating system or a tool")
    if not name.lower().endswith(IMAGE_SUFFIXES):
        return Fault(Reason.OTHER_FILE, f"the name does not end in {', '.join(IMAGE_SUFFIXES)}")
    return None


def too_large_fault(size: int, limits: SourceLimits) -> Fault | None:
    """Return the fault of a file with more bytes than the limit, or None."""
    if size <= limits.max_file_megabytes * 2**20:
        return None
    return Fault(Reason.TOO_LARGE, f"{size} bytes, {limits.max_file_megabytes:g} MB allowed")
