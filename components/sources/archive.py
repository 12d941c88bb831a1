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
from typing import BinaryIO, Self

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.sources.limits import SourceLimits
from components.sources.source_file import ListedFile, SourceFile, foreign_fault, printable

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz")
"""Endings of an archive's name, in upper or lower case."""

_NOT_REGULAR = Fault(Reason.NOT_REGULAR, "a link or special file in the archive")
_GZIP_MAGIC = b"\x1f\x8b"
_BLOCK = 1 << 20
_RATIO_APPLIES_FROM = 16 * _BLOCK
"""Decompressed bytes below which the ratio is not checked: a small archive does no harm."""
# zipfile raises RuntimeError for an encrypted member, NotImplementedError (a subclass) for an unknown compression.
_DAMAGE = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError)


def is_archive_name(name: str) -> bool:
    """Return whether a file name ends like an archive's."""
    return name.lower().endswith(ARCHIVE_SUFFIXES)


def list_archive(stream: BinaryIO, name: str, limits: SourceLimits) -> Iterator[ListedFile]:
    """Yield every file in an archive, in the archive's own order, leaving out folders.

    Links, devices and pipes are faults and never followed. A ``.tar`` may be gzip-compressed
    or not, whatever its name says. An archive is a stream: a file can be read only until the next one is listed.
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
    with zipfile.ZipFile(stream) as archive:
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
            else:
                _check_size(member_name, member.file_size, name, limits)
                total += member.file_size
                _check_total(total, name, limits)
                _check_ratio(member.file_size, member.compress_size, name, limits)
                yield _listed(member_name, member.file_size, partial(archive.read, member), name)


def _list_tar(stream: BinaryIO, name: str, limits: SourceLimits) -> Iterator[ListedFile]:
    bounded = _BoundedStream(stream, name, limits)
    with _StreamedTar.open(fileobj=bounded, mode="r|") as archive:
        while (member := archive.next()) is not None:
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

    def read(self, size: int | None = -1, /) -> bytes:
        content = self._stream.read(-1 if size is None else size)
        self._total += len(content)
        _check_total(self._total, self._name, self._limits)
        _check_ratio(self._total, self._compressed.tell(), self._name, self._limits)
        return content


def _checked_name(member_name: str, archive_name: str) -> str:
    parts = re.split(r"[/\\]", member_name)
    if parts[0] == "" or re.match(r"[A-Za-z]:", member_name) or ".." in parts:
        reason = f"its member '{printable(member_name)}' points outside it"
        raise _refusal(archive_name, reason, "pack the faces again with relative paths")
    return printable("/".join(part for part in member_name.split("/") if part not in ("", ".")))


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
