"""Faces that a CSV or Parquet table lists with their labels: an image and three labels in each row.

On a disk, the images may be anywhere that this user can read, since the user wrote the table or chose it; a table in a
bucket, which others may have written, reaches objects alone.
"""

import csv
import errno
import hashlib
import io
import os
import posixpath
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from components.dataset.reasons import Fault, Reason
from components.errors import DataError, RequestError
from components.gs_uri import GsUri, is_gs_uri
from components.printable import printable
from components.sources.face_labels import UNREAD
from components.sources.limits import SourceLimits
from components.sources.source_file import ListedFile, SourceFile, too_large_fault
from components.sources.table_labels import Stated
from components.sources.table_settings import TableSettings
from components.suggestion import did_you_mean

if TYPE_CHECKING:
    from google.cloud import storage

_LONGEST_VALUE = 4096
"""Characters that a path may have, as on Linux; labels are shorter."""
_BATCH_ROWS = 4096
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+://")
_GONE = frozenset({errno.ENOENT, errno.ENOTDIR})

_SWITCH = {key: f"; without one, take {key} out of preprocess.outputs" for key in UNREAD}

Place = Path | GsUri
"""Where a table is."""


class Row(NamedTuple):
    """A row of a table."""

    image: str
    stated: Stated


def read_rows(place: Place, columns: TableSettings, limits: SourceLimits) -> Iterator[Row]:
    """Yield the rows of a table, as text without spaces around it.

    Args:
        place: The table; its ending tells a Parquet file from a CSV. A CSV is UTF-8 and begins with its columns' names.
        columns: Which columns mean what.
        limits: Limits on what is read.

    Raises:
        RequestError: If it lacks a column.
        DataError: If it can't be read, is damaged or exceeds a limit.
    """
    name = str(place)
    read = _parquet if name.lower().endswith(".parquet") else _csv
    with _open(place, limits) as stream, _damage_explained(name):
        for count, values in enumerate(read(stream, name, columns, limits), 1):
            if count > limits.max_members:
                raise _refusal(name, f"it has more than {limits.max_members:,} rows", "max_members")
            if max(map(len, values)) > _LONGEST_VALUE:
                raise DataError(
                    f"The table {name} has a value of more than {_LONGEST_VALUE} characters in row {count}",
                    remedy="name other columns with preprocess.table, or shorten it",
                )
            image, *stated = (value.strip() for value in values)
            yield Row(image, Stated(*stated))


def read_columns(place: Place, limits: SourceLimits, separator: str) -> list[str]:
    """Return the names of a table's columns.

    Raises:
        RequestError: If the table can't be read.
        DataError: If it is damaged or too large.
    """
    import pyarrow.parquet as pq

    name = str(place)
    with _open(place, limits) as stream, _damage_explained(name):
        if name.lower().endswith(".parquet"):
            return list(pq.ParquetFile(stream).schema_arrow.names)
        return next(csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), delimiter=separator), [])


def digest_table(place: Place, limits: SourceLimits) -> str:
    """Return the SHA-256 of a table's bytes."""
    with _open(place, limits) as stream:
        return hashlib.sha256(stream.read()).hexdigest()


def list_table(place: Place, columns: TableSettings, limits: SourceLimits) -> Iterator[ListedFile]:
    """Yield the image of each row, in the table's order; they can be read in any order and in any thread.

    Raises:
        RequestError: If the table lacks a column.
        DataError: If the table, or a bucket that it names, can't be read. Reading an image raises it, too, if it is
            gone since it was listed.
    """
    blobs = _find_objects(place, columns, limits)
    for row in read_rows(place, columns, limits):
        name = printable(row.image)
        found = locate(place, row.image)
        if isinstance(found, Fault):
            yield ListedFile.faulty(name, found, row.stated)
        elif isinstance(found, GsUri):
            yield _listed_object(name, found, blobs.get(found), row.stated, limits)
        else:
            yield _listed_file(name, found, row.stated, limits)


def locate(place: Place, image: str) -> Place | Fault:
    """Return where the image of a row is, or what is wrong with its path.

    Args:
        place: The table.
        image: As the row states it.
    """
    if not image or "\0" in image:
        return Fault(Reason.MISSING_FILE, "the row names no image")
    if _SCHEME.match(image):
        return _object(image)
    if isinstance(place, Path):
        return place.resolve().parent / image
    path = posixpath.normpath(posixpath.join(posixpath.dirname(place.path), image))
    if image.startswith("/") or path.startswith("../") or path in (".", ".."):
        return Fault(Reason.NOT_REGULAR, "a table in a bucket names objects of buckets alone")
    return GsUri(place.bucket, path)


def _object(uri: str) -> GsUri | Fault:
    if not is_gs_uri(uri):
        return Fault(Reason.MISSING_FILE, "only paths and gs:// URIs are read")
    try:
        return GsUri.parse(uri)
    except RequestError as error:
        return Fault(Reason.MISSING_FILE, error.problem)


def _listed_file(name: str, path: Path, stated: Stated, limits: SourceLimits) -> ListedFile:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        return ListedFile.faulty(name, _unreadable(error), stated)
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
        return ListedFile.faulty(name, Fault(Reason.NOT_REGULAR, what), stated)
    if fault := too_large_fault(status.st_size, limits):
        return ListedFile.faulty(name, fault, stated)
    return ListedFile(name, status.st_size, partial(_read_file, name, path, limits), stated=stated)


def _read_file(name: str, path: Path, limits: SourceLimits) -> SourceFile:
    try:
        # Non-blocking: a pipe that has taken the file's place would wait for a writer for ever.
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb", buffering=0) as file:
            fault = too_large_fault(os.fstat(file.fileno()).st_size, limits)
            content = b"" if fault else file.read(int(limits.max_file_megabytes * 2**20) + 1) or b""
            return SourceFile(name, content, fault or too_large_fault(len(content), limits))
    except OSError as error:
        if error.errno in _GONE:
            raise DataError(
                f"The image '{name}' went while its table was being read",
                remedy="leave the source as it is until the run has read it, and run again",
            ) from None
        return SourceFile(name, fault=_unreadable(error))


def _unreadable(error: OSError | ValueError) -> Fault:
    if isinstance(error, OSError) and error.errno not in _GONE:
        return Fault(Reason.UNREADABLE, error.strerror or str(error))
    return Fault(Reason.MISSING_FILE)


def _find_objects(place: Place, columns: TableSettings, limits: SourceLimits) -> "dict[GsUri, storage.Blob]":
    """Return the objects that a table names, so far as they exist: a folder is listed once, whatever it holds."""
    located = (locate(place, row.image) for row in read_rows(place, columns, limits))
    wanted = {found for found in located if isinstance(found, GsUri)}
    if not wanted:
        return {}
    from components.sources.bucket import list_blobs

    found: dict[GsUri, storage.Blob] = {}
    listed: GsUri | None = None
    folders = {(uri.bucket, posixpath.dirname(uri.path)) for uri in wanted}
    for folder in (GsUri(*folder) for folder in sorted(folders)):
        if listed is not None and listed.bucket == folder.bucket and f"{folder.path}/".startswith(_prefix(listed)):
            continue
        listed = folder
        for blob in list_blobs(folder):
            if (uri := GsUri(folder.bucket, blob.name)) in wanted:
                found[uri] = blob
    return found


def _prefix(folder: GsUri) -> str:
    return f"{folder.path}/" if folder.path else ""


def _listed_object(name: str, uri: GsUri, blob: Any, stated: Stated, limits: SourceLimits) -> ListedFile:
    if blob is None:
        return ListedFile.faulty(name, Fault(Reason.MISSING_FILE), stated)
    if fault := too_large_fault(blob.size, limits):
        return ListedFile.faulty(name, fault, stated)

    def read() -> SourceFile:
        from components.sources.bucket import download

        return SourceFile(name, download(blob, uri))

    return ListedFile(name, blob.size, read, f"{blob.generation}:{blob.crc32c}", stated)


@contextmanager
def _open(place: Place, limits: SourceLimits) -> Iterator[IO[bytes]]:
    """Open a table of no more bytes than allowed."""
    most = int(limits.max_table_megabytes * 2**20)
    if isinstance(place, GsUri):
        from components.sources.bucket import download, find_blob

        blob = find_blob(place)
        _check_size(blob.size, str(place), most)
        yield io.BytesIO(download(blob, place))
        return
    try:
        stream = place.open("rb")
    except OSError as error:
        raise RequestError(
            f"The table {place} can't be read ({error.strerror or error})",
            remedy="check that it exists and that this user may read it",
        ) from None
    with stream:
        _check_size(os.fstat(stream.fileno()).st_size, str(place), most)
        yield stream


def _check_size(size: int, name: str, most: int) -> None:
    if size > most:
        raise _refusal(name, f"it has {size / 2**20:.0f} MB, but only {most / 2**20:g} are read", "max_table_megabytes")


def _refusal(name: str, reason: str, limit: str) -> DataError:
    return DataError(
        f"The table {name} is refused because {reason}", remedy=f"raise preprocess.limits.{limit} if you trust it"
    )


@contextmanager
def _damage_explained(name: str) -> Iterator[None]:
    import pyarrow as pa

    try:
        yield
    except UnicodeDecodeError as error:
        raise DataError(f"The table {name} is not UTF-8 text ({error.reason})", remedy="save it as UTF-8") from None
    except (csv.Error, pa.ArrowException) as error:
        raise DataError(f"The table {name} is damaged ({error})", remedy="write it again") from None


def _csv(stream: IO[bytes], name: str, columns: TableSettings, limits: SourceLimits) -> Iterator[list[str]]:
    del limits
    lines = csv.reader(io.TextIOWrapper(stream, "utf-8-sig", newline=""), delimiter=columns.separator, strict=True)
    header = next(lines, [])
    places = _find_columns(header, name, columns)
    for values in lines:
        if not values:  # An empty line, as at the end of many files.
            continue
        if len(values) != len(header):
            raise DataError(
                f"Line {lines.line_num} of {name} has {len(values)} values, but there are {len(header)} columns",
                remedy=f"correct it; a value with a '{columns.separator}' in it stands in double quotes",
            )
        yield ["" if place is None else values[place] for place in places]


def _parquet(stream: IO[bytes], name: str, columns: TableSettings, limits: SourceLimits) -> Iterator[list[str]]:
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    wanted = [column for column in columns.columns if column]
    _check_parquet(pq.ParquetFile(stream), name, columns, limits)
    # Repeated values take their room once, however often they are repeated.
    with pq.ParquetFile(stream, read_dictionary=wanted) as table:
        for batch in table.iter_batches(_BATCH_ROWS, columns=wanted):
            texts: list[list[str | None]] = []
            for column in wanted:
                values = batch.column(batch.schema.get_field_index(column))
                distinct = values.dictionary if pa.types.is_dictionary(values.type) else values
                distinct = distinct.cast(pa.string())
                if (pc.max(pc.utf8_length(distinct)).as_py() or 0) > _LONGEST_VALUE:
                    raise DataError(
                        f"The column '{column}' of {name} has a value of more than {_LONGEST_VALUE} characters",
                        remedy="name another column with preprocess.table, or shorten it",
                    )
                texts.append(values.cast(pa.string()).to_pylist())
            found = dict(zip(wanted, texts, strict=True))
            every = [found.get(column) or [None] * batch.num_rows for column in columns.columns]
            yield from ([value or "" for value in row] for row in zip(*every, strict=True))


def _check_parquet(table: Any, name: str, columns: TableSettings, limits: SourceLimits) -> None:
    """Check the columns and the size of a Parquet file by its description."""
    import pyarrow as pa

    _find_columns(table.schema_arrow.names, name, columns)
    for column in filter(None, columns.columns):
        kind = table.schema_arrow.field(column).type
        if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
            raise DataError(
                f"The column '{column}' of {name} holds {kind}, not text or numbers",
                remedy="write the images to files and their paths to that column, or name another one",
            )
    groups = (table.metadata.row_group(group) for group in range(table.metadata.num_row_groups))
    chunks = (group.column(place) for group in groups for place in range(group.num_columns))
    size = sum(chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in columns.columns)
    _check_size(size, name, int(limits.max_table_megabytes * 2**20))


def _find_columns(header: list[str], name: str, columns: TableSettings) -> list[int | None]:
    """Return where the wanted columns stand; None for one that is not read."""
    for key, column in zip(("image", "age", "gender", "ethnicity"), columns.columns, strict=True):
        if not column or header.count(column) == 1:
            continue
        if column in header:
            raise RequestError(f"The table {name} has several columns '{column}'", remedy="rename all but one")
        if len(header) == 1 and ";" in header[0] and columns.separator == ",":
            raise RequestError(
                f"The table {name} has no column '{column}', but semicolons",
                remedy='set preprocess.table.separator=";"',
            )
        shown = ", ".join(header)[:200] or "none"
        free = [name for name in header if name not in columns.columns]
        raise RequestError(
            f"The table {name} has no column '{column}'{did_you_mean(column, free)}",
            remedy=f"name the column with preprocess.table.{key}; its columns are {shown}{_SWITCH.get(key, '')}",
        )
    return [header.index(column) if column else None for column in columns.columns]
