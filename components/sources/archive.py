"""Faces in an archive, read as a stream: nothing is ever extracted to disk."""

import gzip
import io
import re
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO, Self

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.printable import printable
from components.sources.limits import SourceLimits
from components.sources.source_file import ListedFile, SourceFile, foreign_fault

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
"""Endings of an archive's name, in upper or lower case."""

_NOT_REGULAR = Fault(Reason.NOT_REGULAR, "a link or special file in the archive")
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20
_RATIO_APPLIES_FROM = 16 * _BLOCK
"""Decompressed bytes below which the ratio is not checked: a small archive does no harm."""
_LONGEST_NAME = 4096
"""Characters that a path may have, as on Linux."""
_LARGEST_HEADER = _BLOCK
"""Bytes that may stand between the contents of two members of a tar: long names and other attributes."""
_DIRECTORY_ENTRY = b"PK\x01\x02"
_DIRECTORY_BYTES = 256
"""Bytes that a member may take up in the directory of a zip, on average."""
# zipfile raises RuntimeError for an encrypted member, NotImplementedError (a subclass) for an unknown compression.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


def is_archive_name(name: str) -> bool:
    """Return whether a file name ends like an archive's."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def list_archive(stream: BinaryIO, name: str, limits: SourceLimits) -> Iterator[ListedFile]:
    """Yield every file in an archive, in the archive's own order, leaving out folders.

    Links, devices and pipes are faults and never followed. A ``.tar`` may be gzip-compressed
    or not, whatever its name says; the members of a zip are stored or deflated. Every limit counts the bytes that
    are there, whatever a header declares. An archive is a stream: a file can be read only until the next one is listed.
    The limits and the checksum of a compressed tar hold for files that are passed over, too.

    Args:
        stream: The archive, seekable, at its start.
        name: The archive's name for messages; its ending tells a zip from a tar.
        limits: Decompression limits.

    Raises:
        DataError: If a member's path is absolute or has a ``..`` part, if a limit is exceeded, or if
            the archive is damaged. The archive is then refused as a whole.
    """
    members = _list_zip if name.lower().endswith(".zip") else _list_tar
    with _damage_explained(name):
        yield from members(stream, name, limits)


def _list_zip(stream: BinaryIO, name: str, limits: SourceLimits) -> Iterator[ListedFile]:
    total = 0
    counted: Any = _CountedDirectory(stream, name, limits)
    with zipfile.ZipFile(counted) as archive:
        counted.is_complete = True
        # Sorted by offset, the members are read in one pass, even over a network.
        for member in sorted(archive.infolist(), key=lambda member: member.header_offset):
            member_name = _checked_name(member.filename, name)
            kind = stat.S_IFMT(member.external_attr >> 16)
            if member.is_dir():
                continue
            if kind not in (0, stat.S_IFREG):
                yield ListedFile.faulty(member_name, _NOT_REGULAR)
            elif fault := foreign_fault(member_name):
                yield ListedFile.faulty(member_name, fault)
            elif member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                # zipfile decompresses these without a bound on what comes out, and no tool packs photos with them.
                reason = f"its member '{member_name}' is neither stored nor deflated"
                raise _refusal(name, reason, "pack the faces again as an ordinary zip or tar")
            else:
                _check_size(member_name, member.file_size, name, limits)
                total += member.file_size
                _check_total(total, name, limits)
                _check_ratio(member.file_size, member.compress_size, name, limits)
                yield _listed(member_name, member.file_size, partial(_read_member, archive, member), name)


def _read_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> bytes:
    """Return no more bytes than the member declares, however many it holds; its checksum is verified on the way."""
    with archive.open(member) as content:
        return content.read(member.file_size + 1)


class _CountedDirectory:
    """The bytes of a zip, whose directory is refused before it fills memory: ``zipfile`` reads it whole.

    Attributes:
        is_complete: Whether the directory has been read; from then on nothing is counted.
    """

    def __init__(self, stream: BinaryIO, name: str, limits: SourceLimits) -> None:
        self.is_complete = False
        self._stream = stream
        self._name = name
        self._limits = limits
        self.seek, self.tell = stream.seek, stream.tell

    def seekable(self) -> bool:
        return True

    def read(self, size: int = -1, /) -> bytes:
        if self.is_complete:
            return self._stream.read(size)
        most = max(_BLOCK, self._limits.max_members * _DIRECTORY_BYTES)
        content = self._stream.read(min(size, most + 1) if size >= 0 else most + 1)
        members = content.count(_DIRECTORY_ENTRY) if len(content) <= most else self._limits.max_members + 1
        _check_members(members, self._name, self._limits)
        return content


def _list_tar(stream: BinaryIO, name: str, limits: SourceLimits) -> Iterator[ListedFile]:
    bounded = _BoundedStream(stream, name, limits)
    members = 0
    with _StreamedTar.open(fileobj=bounded, mode="r|") as archive:
        while (member := archive.next_after(bounded)) is not None:
            members += 1
            _check_members(members, name, limits)
            member_name = _checked_name(member.name, name)
            if member.isdir():
                continue
            content = archive.extractfile(member) if member.isreg() else None
            if content is None:
                yield ListedFile.faulty(member_name, _NOT_REGULAR)
            elif fault := foreign_fault(member_name):
                yield ListedFile.faulty(member_name, fault)
            else:
                _check_size(member_name, member.size, name, limits)
                yield _listed(member_name, member.size, content.read, name)
        _check_nothing_follows(archive)


def _listed(member_name: str, size: int, content: Callable[[], bytes], archive_name: str) -> ListedFile:
    def read() -> SourceFile:
        with _damage_explained(archive_name):
            return SourceFile(member_name, content())

    return ListedFile(member_name, size, read)


@contextmanager
def _damage_explained(name: str) -> Iterator[None]:
    try:
        yield
    except _DAMAGE as error:
        raise DataError(
            f"The archive {name} can't be read to the end ({error})", remedy="download or pack it again"
        ) from error


class _StrictMember(tarfile.TarInfo):
    """A tar header that must be intact.

    ``tarfile`` takes a damaged or missing header after the first one for the end of the archive,
    which would silently lose the remaining faces.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> Self:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if bytes(buf) == bytes(tarfile.BLOCKSIZE):
                raise  # The regular end mark.
            raise tarfile.ReadError(str(error)) from None


class _StreamedTar(tarfile.TarFile):
    """A tar that forgets the members it has passed, so that memory does not grow with their number."""

    tarinfo = _StrictMember
    members: list[tarfile.TarInfo]
    offset: int  # Where the next header starts.

    def next_after(self, stream: "_BoundedStream") -> tarfile.TarInfo | None:
        """Return the next member: what is left of the last one's content is passed over, and a header is read."""
        stream.allow(self.offset - self.fileobj.tell() + _LARGEST_HEADER if self.fileobj else _LARGEST_HEADER)
        member = self.next()
        stream.allow(None)
        # Attributes for all members add up.
        if sum(len(key) + len(value) for key, value in self.pax_headers.items()) > _LARGEST_HEADER:
            raise stream.header_refusal()
        return member

    def next(self) -> tarfile.TarInfo | None:
        self.members.clear()
        return super().next()


def _check_nothing_follows(archive: tarfile.TarFile) -> None:
    """Read to the end, so that checksums are verified, and refuse anything but padding."""
    while archive.fileobj is not None and (rest := archive.fileobj.read(_BLOCK)):
        if rest.strip(b"\0"):
            raise tarfile.ReadError("data follows the end mark or a damaged header")


class _BoundedStream(io.BufferedIOBase):
    """The decompressed bytes of a tar, counted against the limits as they are read."""

    def __init__(self, stream: BinaryIO, name: str, limits: SourceLimits) -> None:
        compressed = stream.read(len(_GZIP_MAGIC)) == _GZIP_MAGIC
        stream.seek(0)
        self._compressed = stream
        self._stream: BinaryIO | gzip.GzipFile = gzip.GzipFile(fileobj=stream) if compressed else stream
        self._name = name
        self._limits = limits
        self._total = 0
        self._allowed: int | None = _LARGEST_HEADER  # Opening a tar reads its first header.

    def allow(self, size: int | None) -> None:
        """Limit the bytes that are read from here on; None for no limit."""
        self._allowed = size

    def header_refusal(self) -> DataError:
        reason = f"it has a header of more than {_LARGEST_HEADER >> 20} MB, which no name needs"
        return _refusal(self._name, reason, "pack the faces again with short names")

    def read(self, size: int | None = -1, /) -> bytes:
        content = self._stream.read(-1 if size is None else size)
        self._total += len(content)
        if self._allowed is not None:
            self._allowed -= len(content)
            if self._allowed < -tarfile.RECORDSIZE:
                raise self.header_refusal()
        _check_total(self._total, self._name, self._limits)
        _check_ratio(self._total, self._compressed.tell(), self._name, self._limits)
        return content


def _checked_name(member_name: str, archive_name: str) -> str:
    if len(member_name) > _LONGEST_NAME:
        reason = f"the name of a member has {len(member_name):,} characters, but only {_LONGEST_NAME:,} are allowed"
        raise _refusal(archive_name, reason, "pack the faces again with short names")
    parts = re.split(r"[/\\]", member_name)
    if parts[0] == "" or re.match(r"[A-Za-z]:", member_name) or ".." in parts:
        reason = f"its member '{printable(member_name)}' points outside it"
        raise _refusal(archive_name, reason, "pack the faces again with relative paths")
    return printable("/".join(part for part in member_name.split("/") if part not in ("", ".")))


def _check_members(members: int, archive_name: str, limits: SourceLimits) -> None:
    if members > limits.max_members:
        reason = f"it holds more than {limits.max_members:,} members"
        raise _over_limit(archive_name, reason, "max_members")


def _check_size(member_name: str, size: int, archive_name: str, limits: SourceLimits) -> None:
    allowed = limits.max_file_megabytes
    if size > allowed * 2**20:
        reason = f"its member '{member_name}' has {size / 2**20:.0f} MB, but only {allowed:g} MB are allowed"
        raise _over_limit(archive_name, reason, "max_file_megabytes")


def _check_total(total: int, archive_name: str, limits: SourceLimits) -> None:
    if total > limits.max_total_gigabytes * 2**30:
        reason = f"it holds more than {limits.max_total_gigabytes:g} GB once decompressed"
        raise _over_limit(archive_name, reason, "max_total_gigabytes")


def _check_ratio(decompressed: int, compressed: int, archive_name: str, limits: SourceLimits) -> None:
    allowed = limits.max_compression_ratio
    if decompressed > max(_RATIO_APPLIES_FROM, allowed * compressed):
        reason = f"it decompresses to more than {allowed:g} times its size, which no photo does"
        raise _over_limit(archive_name, reason, "max_compression_ratio")


def _over_limit(archive_name: str, reason: str, limit: str) -> DataError:
    return _refusal(archive_name, reason, f"raise preprocess.limits.{limit} if you trust the archive")


def _refusal(archive_name: str, reason: str, remedy: str) -> DataError:
    return DataError(f"The archive {archive_name} is refused because {reason}", remedy=remedy)
