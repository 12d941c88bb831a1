"""Faces in a Google Cloud Storage bucket: every object below a prefix, or one archive."""

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import requests
from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, Unauthorized
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from requests.adapters import HTTPAdapter

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.gs_uri import GsUri
from components.sources.archive import is_archive_name, list_archive
from components.sources.limits import SourceLimits
from components.sources.ordered_map import map_in_order
from components.sources.source_file import ListedFile, SourceFile, foreign_fault, too_large_fault

_CHUNK_BYTES = 8 << 20
_CHUNK_WORKERS = 2
_BUFFER_BYTES = 1 << 18
_MOST_CONNECTIONS = 128
_LISTED_FIELDS = "items(name,bucket,generation,size,crc32c),nextPageToken"


def list_blobs(uri: GsUri) -> Iterator[storage.Blob]:
    """Yield the objects that a URI names, sorted by name.

    Args:
        uri: A prefix for everything below it, or one archive. If ``STORAGE_EMULATOR_HOST`` is set, the
            emulator is used, without credentials.

    Raises:
        DataError: If the bucket or the archive does not exist or can't be read.
    """
    with _failure_explained(uri):
        client = storage.Client(project="evenface")
        # Google's way to keep as many connections open as there are downloads at a time; the default closes all but 10.
        client._http.mount(client._connection.API_BASE_URL, HTTPAdapter(pool_maxsize=_MOST_CONNECTIONS))
        bucket = client.bucket(uri.bucket)
        if is_archive_name(uri.path):
            archive = bucket.get_blob(uri.path)
            if archive is None:
                raise DataError(
                    f"The source {uri} does not exist", remedy="check the names of the bucket and the archive"
                )
            yield archive
            return
        for blob in bucket.list_blobs(prefix=_folder(uri.path), fields=_LISTED_FIELDS):
            # Consoles create an empty object with a trailing slash to represent a folder.
            if not blob.name.endswith("/"):
                yield blob


def list_bucket(uri: GsUri, limits: SourceLimits) -> Iterator[ListedFile]:
    """Yield every file that a URI names.

    Objects below a prefix arrive sorted by name and can be read in any order and in any thread; an archive is
    read as a stream. The client verifies checksums and retries transient errors.

    Raises:
        DataError: If the bucket or the archive does not exist or can't be read, or if the archive is refused.
    """
    blobs = list_blobs(uri)
    with _failure_explained(uri):
        if is_archive_name(uri.path):
            with _open_archive(next(blobs)) as stream:
                for file in list_archive(stream, str(uri), limits):
                    yield ListedFile(file.name, file.size, partial(_read, uri, file.read))
            return
        start = len(_folder(uri.path))
        for blob in blobs:
            name = blob.name[start:]
            if fault := foreign_fault(name) or too_large_fault(blob.size, limits):
                yield ListedFile.faulty(name, fault)
            else:
                yield ListedFile(name, blob.size, partial(_read, uri, partial(_download, blob, name)))


def _open_archive(blob: Any) -> BinaryIO:
    # Raw: an object stored with gzip encoding would otherwise be decompressed without the limits.
    if blob.name.lower().endswith(".zip"):  # Its table of contents is at its end.
        stream: BinaryIO = blob.open("rb", chunk_size=_CHUNK_BYTES, raw_download=True)
        return stream
    return io.BufferedReader(_ReadAhead(blob), _BUFFER_BYTES)


class _ReadAhead(io.RawIOBase):
    """An object read from front to back, while the chunks that follow are downloaded by other threads."""

    def __init__(self, blob: Any) -> None:
        download = partial(
            blob.download_as_bytes, raw_download=True, if_generation_match=blob.generation, checksum=None
        )
        self._chunks = map_in_order(
            lambda start: download(start=start, end=start + _CHUNK_BYTES - 1),
            range(0, blob.size, _CHUNK_BYTES),
            _CHUNK_WORKERS,
        )
        self._chunk = memoryview(b"")
        self._start = self._next = 0  # Of the chunk and of what is read next, in the object.

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = io.SEEK_SET, /) -> int:
        """Go back or forth within the chunk: enough to look at how an archive begins."""
        if whence != io.SEEK_SET or not self._start <= offset <= self._start + len(self._chunk):
            raise io.UnsupportedOperation("an object that is read ahead can't be read again")
        self._next = offset
        return offset

    def tell(self) -> int:
        return self._next

    def readinto(self, buffer: Any, /) -> int:
        if self._next == self._start + len(self._chunk):
            self._start = self._next
            self._chunk = memoryview(next(self._chunks, b""))
        content = self._chunk[self._next - self._start :][: len(buffer)]
        buffer[: len(content)] = content
        self._next += len(content)
        return len(content)

    def close(self) -> None:
        self._chunks.close()
        super().close()


def _read(uri: GsUri, read: Callable[[], SourceFile]) -> SourceFile:
    with _failure_explained(uri):
        return read()


def _download(blob: Any, name: str) -> SourceFile:
    try:
        return SourceFile(name, blob.download_as_bytes(if_generation_match=blob.generation))
    except NotFound:
        return SourceFile(
            name, fault=Fault(Reason.UNREADABLE, "the object was deleted or replaced while it was being read")
        )


def _folder(path: str) -> str:
    """Return a prefix that ends in a slash, so that ``faces`` does not match ``faces-old/``."""
    return path.rstrip("/") + "/" if path.strip("/") else ""


@contextmanager
def _failure_explained(uri: GsUri) -> Iterator[None]:
    try:
        yield
    except NotFound:
        raise DataError(f"The source {uri} does not exist", remedy="check the name of the bucket") from None
    except (Forbidden, Unauthorized) as error:
        raise DataError(
            f"The source {uri} can't be read with these credentials ({error.message})",
            remedy="grant them the role Storage Object Viewer on the bucket",
        ) from None
    except GoogleAuthError as error:
        raise DataError(
            f"There are no working Google credentials to read {uri} ({error})",
            remedy="run 'gcloud auth application-default login' or set GOOGLE_APPLICATION_CREDENTIALS",
        ) from None
    except (GoogleAPIError, requests.RequestException) as error:
        raise DataError(
            f"Reading {uri} failed after retries ({error})", remedy="check the network and try again"
        ) from error
