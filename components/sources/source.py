"""Where faces come from: what ``--source`` names, parsed once into one of its kinds.

Parsing reads no content and imports no heavy library, so that the command line can parse without delay.
"""

import hashlib
import os
import re
import stat
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import ClassVar

from components.errors import DataError, RequestError
from components.gs_uri import GsUri, is_gs_uri
from components.sources.archive import ARCHIVE_SUFFIXES, is_archive_name, list_archive
from components.sources.face_labels import LabelReader
from components.sources.fingerprint import common_root, content_fingerprint
from components.sources.folder import list_folder
from components.sources.limits import SourceLimits
from components.sources.ordered_map import map_in_order
from components.sources.source_file import ListedFile, SourceFile
from components.sources.synthetic_settings import SyntheticSettings
from components.sources.table_labels import TableLabels
from components.sources.table_settings import TableSettings

TABLE_SUFFIXES = (".csv", ".parquet")
"""Endings of a table's name, in upper or lower case."""

_LIMITS = SourceLimits()
_COLUMNS = TableSettings()
_MOST_FOLDERS = 20
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


def parse_source(text: str, columns: TableSettings = _COLUMNS) -> "Source":
    """Return the source that a user names, whether it exists or not: a path may exist only where the stages run.

    Args:
        text: A folder, a ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz`` archive, ``gs://bucket/prefix``,
            ``gs://bucket/archive.tar.gz``, a ``.csv`` or ``.parquet`` table of either place, or ``"synthetic"``.
        columns: Which columns of a table mean what.

    Raises:
        RequestError: If a ``gs://`` URI names no bucket.
    """
    if text == "synthetic":
        return SyntheticSource(text)
    is_table = text.lower().endswith(TABLE_SUFFIXES)
    if is_gs_uri(text):
        uri = GsUri.parse(text)
        return TableSource(text, uri, columns) if is_table else BucketSource(text, uri)
    if is_table and not stat.S_ISDIR(_mode(text)):
        return TableSource(text, Path(text), columns)
    if is_archive_name(Path(text).name) and not stat.S_ISDIR(_mode(text)):
        return ArchiveSource(text)
    return FolderSource(text)


@dataclass(frozen=True)
class Source(ABC):
    """Where faces come from.

    Attributes:
        name: As the user wrote it.
    """

    name: str

    @property
    def reader(self) -> LabelReader:
        """Who reads the labels of its files."""
        from components.sources.utkface import UTKFaceNames

        return UTKFaceNames()

    @property
    def is_table(self) -> bool:
        """Whether it is a table that lists images with their labels."""
        return False

    @property
    def path(self) -> Path | None:
        """Where it is, or would be, on this machine's disk; None if it is not on a disk."""
        return None

    @property
    def is_visible_here(self) -> bool:
        """Whether this process can see it."""
        return True

    @property
    def is_visible_on_cluster(self) -> bool:
        """Whether the stages on a cluster are sure to see it; a path has to be mounted there under the same name."""
        return self.path is None

    def local_paths(self, limits: SourceLimits = _LIMITS) -> list[Path]:
        """Return the files and folders of this machine that have to be visible where it is read."""
        del limits
        return [self.path] if self.path else []

    def absolute(self) -> str:
        """Return a name that means the same in another working folder."""
        return str(self.path.resolve()) if self.path else self.name

    @abstractmethod
    def fingerprint(self, limits: SourceLimits = _LIMITS) -> str:
        """Return the identity of the content, so that caches hit exactly when the data is the same.

        A folder and an archive of the same faces have the same one. A bucket is not downloaded for it, so it has its
        own.

        Args:
            limits: Limits on what is read.

        Raises:
            RequestError: If the source does not exist or can't be read.
            DataError: If a bucket does not exist or can't be read, or if an archive is refused or damaged.
        """

    def check_unchanged(self, fingerprint: str, content: str, limits: SourceLimits) -> None:
        """Check that what a stage has read is what the run was started for.

        Args:
            fingerprint: From :meth:`fingerprint`, before the run. Anything else is a name that the user vouches for.
            content: The :func:`components.sources.fingerprint.content_fingerprint` of what was read.
            limits: Limits on what is read.

        Raises:
            DataError: If the source has changed in between.
        """
        if _FINGERPRINT.fullmatch(fingerprint) and fingerprint != self._fingerprint_after(content, limits):
            raise DataError(
                f"The source {self.name} changed after the run had begun",
                remedy="leave it alone until preprocess has read it, and run again",
            )

    def _fingerprint_after(self, content: str, limits: SourceLimits) -> str:
        """Return the fingerprint now that the source has been read."""
        return self.identify(content, limits)

    def identify(self, content: str, limits: SourceLimits) -> str:
        """Return the identity of the labelled faces, from the fingerprint of their names and contents."""
        del limits
        return content

    @abstractmethod
    def list_files(self, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[ListedFile]:
        """Yield every file, always in the same order; those that aren't images or can't be delivered carry a fault.

        A file can be read only until the next one is listed, unless it passes through :meth:`fetch`.

        Args:
            limits: Limits on what is read.
            synthetic: What synthetic faces look like.

        Raises:
            RequestError: If the source does not exist or is neither a folder nor an archive.
            DataError: If it can't be read, is refused or is damaged.
        """

    def fetch(self, files: Iterable[ListedFile], limits: SourceLimits) -> Iterator[ListedFile]:
        """Yield listed files so that any thread can read each of them at any time and soon.

        Args:
            files: What :meth:`list_files` yields, or some of it. Only a few are taken ahead.
            limits: Limits on what is read.
        """
        return iter(files)

    def read(self, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[SourceFile]:
        """Yield the files of :meth:`list_files`, each of them read."""
        for file in self.list_files(limits, synthetic):
            yield file.read()


class SyntheticSource(Source):
    """Faces made on the spot. The settings determine them, and every cache key includes the settings anyway."""

    def fingerprint(self, limits: SourceLimits = _LIMITS) -> str:
        """Return the source's name."""
        return self.name

    def list_files(self, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[ListedFile]:
        """Yield the files that the settings describe."""
        from components.sources.synthetic import generate

        for name, content in generate(synthetic):
            yield ListedFile(name, len(content), partial(SourceFile, name, content))


@dataclass(frozen=True)
class BucketSource(Source):
    """Objects below a prefix of a bucket, or one archive in it, identified by names, generations and checksums."""

    uri: GsUri

    def fingerprint(self, limits: SourceLimits = _LIMITS) -> str:
        """Return the SHA-256 of the objects' names, generations and checksums."""
        from components.sources.bucket import list_blobs

        digest = hashlib.sha256()
        for blob in list_blobs(self.uri):
            digest.update(f"{blob.name}\0{blob.generation}\0{blob.crc32c}\0".encode())
        return digest.hexdigest()

    def _fingerprint_after(self, content: str, limits: SourceLimits) -> str:
        # Each object was read in the generation that was listed, so another listing shows whether one has changed.
        return self.fingerprint(limits)

    def list_files(self, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[ListedFile]:
        """Yield the objects, sorted by name, or the files of the archive."""
        from components.sources.bucket import list_bucket

        return list_bucket(self.uri, limits)

    def fetch(self, files: Iterable[ListedFile], limits: SourceLimits) -> Iterator[ListedFile]:
        """Download several objects at once; read an archive as the stream that it is."""
        if is_archive_name(self.uri.path):
            return (file.fetched() for file in files)
        return map_in_order(ListedFile.fetched, files, limits.download_workers)


class _LocalSource(Source):
    """A source on a disk, identified by the names and contents of its faces."""

    _type: ClassVar[int]  # The type of file that it has to be, as in a file's mode.

    @property
    def path(self) -> Path:
        return Path(self.name)

    @property
    def is_visible_here(self) -> bool:
        return _mode(self.name) != 0

    def fingerprint(self, limits: SourceLimits = _LIMITS) -> str:
        return _fingerprint_of(self.list_files(limits, SyntheticSettings()))

    def _check(self) -> None:
        if not self.is_visible_here:
            raise RequestError(f"The source {self.name} does not exist", remedy="check --source")
        if stat.S_IFMT(_mode(self.name)) != self._type:
            raise RequestError(
                f"The source {self.name} is neither a folder nor an archive",
                remedy=f"pass a folder or a file whose name ends in {', '.join(ARCHIVE_SUFFIXES)}",
            )


class FolderSource(_LocalSource):
    """Every file below a folder."""

    _type = stat.S_IFDIR

    def list_files(self, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[ListedFile]:
        """Yield the files, sorted by name."""
        self._check()
        return list_folder(self.path, limits)


class ArchiveSource(_LocalSource):
    """Every file in a zip or tar."""

    _type = stat.S_IFREG

    def list_files(self, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[ListedFile]:
        """Yield the files in the archive's own order."""
        self._check()
        with _failure_explained(self.path):
            stream = self.path.open("rb")
        with stream:
            yield from list_archive(stream, self.name, limits)

    def fetch(self, files: Iterable[ListedFile], limits: SourceLimits) -> Iterator[ListedFile]:
        """Read the stream."""
        return (file.fetched() for file in files)


@dataclass(frozen=True)
class TableSource(Source):
    """The images that a CSV or Parquet table lists, with the labels of its rows.

    It is identified by the table's bytes and the images' names and contents; images in a bucket, by their generations
    and checksums.
    """

    place: Path | GsUri
    columns: TableSettings

    @property
    def reader(self) -> LabelReader:
        """Who reads the labels of its rows."""
        return TableLabels()

    @property
    def is_table(self) -> bool:
        """Whether it is a table: it is."""
        return True

    @property
    def path(self) -> Path | None:
        """Where the table is on this machine's disk; None if it is in a bucket."""
        return self.place if isinstance(self.place, Path) else None

    @property
    def is_visible_here(self) -> bool:
        """Whether this process can see the table."""
        return self.path is None or _mode(self.name) != 0

    def local_paths(self, limits: SourceLimits = _LIMITS) -> list[Path]:
        """Return the table and the outermost folders of its images; of very many folders the one that holds all."""
        from components.sources.table import locate, read_rows

        self.check()
        if self.path is None:
            return []
        located = (locate(self.place, row.image) for row in read_rows(self.place, self.columns, limits))
        folders = {found.parent.resolve() for found in located if isinstance(found, Path)}
        outermost = [folder for folder in folders if not folders.intersection(folder.parents)]
        if len(outermost) > _MOST_FOLDERS:
            outermost = [Path(os.path.commonpath(outermost))]
        return [self.path, *sorted(folder for folder in outermost if folder.is_dir())]

    def fingerprint(self, limits: SourceLimits = _LIMITS) -> str:
        """Return the SHA-256 of the table's bytes and of the images' names and contents."""
        return self.identify(_fingerprint_of(self.list_files(limits, SyntheticSettings())), limits)

    def _fingerprint_after(self, content: str, limits: SourceLimits) -> str:
        has_objects = any(file.identity for file in self.list_files(limits, SyntheticSettings()))
        return self.fingerprint(limits) if has_objects else self.identify(content, limits)

    def identify(self, content: str, limits: SourceLimits) -> str:
        """Return the identity of the images and the table: the same faces with other labels are other data."""
        from components.sources.table import digest_table

        return hashlib.sha256(f"table\0{digest_table(self.place, limits)}\0{content}".encode()).hexdigest()

    def list_files(self, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[ListedFile]:
        """Yield the image of each row, in the table's order."""
        from components.sources.table import list_table

        self.check()
        return list_table(self.place, self.columns, limits)

    def fetch(self, files: Iterable[ListedFile], limits: SourceLimits) -> Iterator[ListedFile]:
        """Read or download several images at once."""
        return map_in_order(ListedFile.fetched, files, limits.download_workers)

    def check(self) -> None:
        """Check that the table is there.

        Raises:
            RequestError: If it is not, or is no file.
        """
        if not self.is_visible_here:
            raise RequestError(f"The source {self.name} does not exist", remedy="check --source")
        if self.path and not stat.S_ISREG(_mode(self.name)):
            raise RequestError(f"The source {self.name} is not a file", remedy="pass a CSV or Parquet file")


def _fingerprint_of(files: Iterable[ListedFile]) -> str:
    """Return the fingerprint of what preprocess would read, or would reject though it looks like a face."""
    hashes: list[tuple[str, str]] = []
    for listed in files:
        if listed.identity:
            hashes.append((listed.name, listed.identity))
            continue
        file = listed.read()
        if file.fault is None:
            hashes.append((file.name, hashlib.sha256(file.content).hexdigest()))
        elif file.fault.reason.is_candidate:
            hashes.append((file.name, ""))
    hashes.sort()
    return content_fingerprint(hashes, common_root(hashes[0][0], hashes[-1][0]) if hashes else "")


def _mode(name: str) -> int:
    """Return the mode of what is at a path, 0 if nothing is there or it can't be reached."""
    try:
        return Path(name).stat().st_mode if name else 0
    except (OSError, ValueError):
        return 0


@contextmanager
def _failure_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise RequestError(
            f"{path} can't be read ({error.strerror or error})",
            remedy="check that it exists and that this user may read it",
        ) from None
