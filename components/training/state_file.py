"""Files that outlive a stage, by which another process goes on with its work."""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests
from google.api_core.exceptions import GoogleAPIError, NotFound
from google.auth.exceptions import GoogleAuthError
from google.cloud import storage

from components.files import atomic_path
from components.gs_uri import GsUri, is_gs_uri

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class StateFile:
    """A file that is replaced as a whole, whoever else replaces it at the same time.

    Work never fails for want of it: what can't be kept or read is told in the log.

    Attributes:
        path: Local path or ``gs://`` URI. If ``STORAGE_EMULATOR_HOST`` is set, the emulator is used.
    """

    path: str

    def read(self) -> bytes | None:
        """Return the content, or None if there is none or it can't be read."""
        with self._tolerant("read, so the work starts again"):
            if not is_gs_uri(self.path):
                return Path(self.path).read_bytes()
            content: bytes = self._blob().download_as_bytes()
            return content
        return None

    def write(self, content: bytes) -> None:
        """Write the content in place of what was there."""
        with self._tolerant("kept"):
            if is_gs_uri(self.path):
                self._blob().upload_from_string(content, "application/octet-stream", checksum="crc32c")
            else:
                with atomic_path(self.path) as draft:
                    draft.write_bytes(content)

    def remove(self) -> None:
        """Remove the file if it is there."""
        with self._tolerant("removed"):
            if is_gs_uri(self.path):
                self._blob().delete()
            else:
                Path(self.path).unlink(missing_ok=True)

    def _blob(self) -> storage.Blob:
        uri = GsUri.parse(self.path)
        return storage.Client(project="evenface").bucket(uri.bucket).blob(uri.path)

    @contextmanager
    def _tolerant(self, done: str) -> Iterator[None]:
        # Google's client draws from the generator that the seeds of a network come from.
        generator = random.getstate()
        try:
            yield
        except (FileNotFoundError, NotADirectoryError, NotFound) as error:
            if done == "kept":
                self._warn(done, error)
        except (OSError, GoogleAPIError, GoogleAuthError, requests.RequestException) as error:
            self._warn(done, error)
        finally:
            random.setstate(generator)

    def _warn(self, done: str, error: Exception) -> None:
        _log.warning("the unfinished work in %s can't be %s: %s", self.path, done, error)
