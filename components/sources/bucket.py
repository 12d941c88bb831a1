"""Faces in a Google Cloud Storage bucket: every object below a prefix, or one archive."""

import base64
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import google_crc32c
import requests
from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed, Unauthorized
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage
from google.cloud.storage.exceptions import DataCorruption
from google.cloud.storage.retry import DEFAULT_RETRY
from requests.adapters import HTTPAdapter

from components.errors import DataError
from components.gs_uri import GsUri
from components.printable import printable
from components.sources.archive import is_archive_name, list_archive
from components.sources.limits import SourceLimits
from components.sources.ordered_map import map_in_order
from components.sources.source_file import ListedFile, SourceFile, foreign_fault, too_large_fault

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 120.0
"""How long a request is repeated, with growing pauses, while the service answers 429 or 5xx or breaks off."""

_ANSWER_SECONDS = 60.0
"""How long the service may be silent before an attempt counts as failed."""
_ATTEMPTS = 3
"""How often an object is read whose bytes do not have the checksum that the bucket states."""
_CHUNK_BYTES = 8 << 20
_CHUNK_WORKERS = 2
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
    if is_archive_name(uri.path):
        yield find_blob(uri)
        return
    with _failure_explained(uri):
        for blob in _bucket(uri).list_blobs(prefix=_folder(uri.path), fields=_LISTED_FIELDS, **_patience()):
            # Consoles create an empty object with a trailing slash to represent a folder.
            if not blob.name.endswith("/"):
                yield blob


def find_blob(uri: GsUri) -> Any:
    """Return the one object that a URI names.

    Raises:
        DataError: If it does not exist or can't be read.
    """
    with _failure_explained(uri):
        blob = _bucket(uri).get_blob(uri.path, **_patience())
    if blob is None:
        raise DataError(
            f"The source {uri} does not exist", remedy=f"check the names of the bucket and the {_kind(uri)}"
        )
    return blob


def download(blob: Any, uri: GsUri) -> bytes:
    """Return the content of an object in the generation that was listed, its checksum verified.

    Raises:
        DataError: If it is gone, or never arrives with the checksum that the bucket states.
    """
    with _failure_explained(uri):
        return _download(blob, str(uri), uri).content


def _bucket(uri: GsUri) -> storage.Bucket:
    bucket = uri.open_bucket()
    client = bucket.client
    # Google's way to keep as many connections open as there are downloads at a time; the default closes all but 10.
    client._http.mount(client._connection.API_BASE_URL, HTTPAdapter(pool_maxsize=_MOST_CONNECTIONS))
    return bucket


def _kind(uri: GsUri) -> str:
    return "archive" if is_archive_name(uri.path) else "table"


def list_bucket(uri: GsUri, limits: SourceLimits) -> Iterator[ListedFile]:
    """Yield every file that a URI names.

    Objects below a prefix arrive sorted by name and can be read in any order and in any thread; an archive is
    downloaded first, to a temporary file, and then read as a stream. Checksums are verified and what does not match
    is read again; transient errors are retried for :data:`PATIENCE_SECONDS`.

    Raises:
        DataError: If the bucket or the archive does not exist or can't be read, or if the archive is refused. Reading
            a file raises it, too: if it is gone, or never arrives with the checksum that the bucket states.
    """
    blobs = list_blobs(uri)
    with _failure_explained(uri):
        if is_archive_name(uri.path):
            with _download_archive(next(blobs), uri) as stream:
                for file in list_archive(stream, str(uri), limits):
                    yield ListedFile(file.name, file.size, partial(_read, uri, file.read))
            return
        start = len(_folder(uri.path))
        for blob in blobs:
            name = printable(blob.name[start:])
            if fault := foreign_fault(name) or too_large_fault(blob.size, limits):
                yield ListedFile.faulty(name, fault)
            else:
                yield ListedFile(name, blob.size, partial(_read, uri, partial(_download, blob, name, uri)))


def _download_archive(blob: Any, uri: GsUri) -> BinaryIO:
    """Return a whole archive on disk, in a file without a name that is gone when it is closed or the process ends.

    Its checksum covers all of it and stands at no part of it: what has been read from a stream before a flipped bit
    is noticed can't be taken back.
    """
    # Raw: an object stored with gzip encoding would otherwise be decompressed without the limits.
    download = partial(
        blob.download_as_bytes,
        raw_download=True,
        if_generation_match=blob.generation,
        checksum=None,
        **_patience(),
    )
    for _ in range(_ATTEMPTS):
        # Handed to the caller, who closes it.
        file = tempfile.TemporaryFile()  # noqa: SIM115
        try:
            checksum = google_crc32c.Checksum()
            for chunk in map_in_order(
                lambda start: download(start=start, end=start + _CHUNK_BYTES - 1),
                range(0, blob.size, _CHUNK_BYTES),
                _CHUNK_WORKERS,
            ):
                checksum.update(chunk)
                file.write(chunk)
        except BaseException:
            file.close()
            raise
        if base64.b64encode(checksum.digest()).decode() == blob.crc32c:
            file.seek(0)
            return file
        file.close()
        _log.warning("%s arrived with another checksum than the bucket states: reading it again", uri)
    raise _corruption(uri, uri.path)


def _read(uri: GsUri, read: Callable[[], SourceFile]) -> SourceFile:
    with _failure_explained(uri):
        return read()


def _download(blob: Any, name: str, uri: GsUri) -> SourceFile:
    for _ in range(_ATTEMPTS):
        try:
            return SourceFile(name, blob.download_as_bytes(if_generation_match=blob.generation, **_patience()))
        except DataCorruption:
            _log.warning("%s arrived with another checksum than the bucket states: reading it again", name)
        except (NotFound, PreconditionFailed):
            raise DataError(
                f"The source {uri} changed while it was being read: '{name}' was deleted or replaced",
                remedy="leave the source as it is until the run has read it, and run again",
            ) from None
    raise _corruption(uri, name)


def _corruption(uri: GsUri, name: str) -> DataError:
    return DataError(
        f"'{name}' of {uri} arrived {_ATTEMPTS} times with another checksum than the bucket states",
        remedy="check the network and any proxy between here and the bucket, and run again",
    )


def _patience() -> dict[str, Any]:
    """Return how long a request waits and is repeated."""
    return {"retry": DEFAULT_RETRY.with_timeout(PATIENCE_SECONDS), "timeout": _ANSWER_SECONDS}


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
