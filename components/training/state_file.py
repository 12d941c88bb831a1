"""Files that outlive a stage, by which another process goes on with its work."""

import logging
import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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
        try:
            if not is_gs_uri(self.path):
                return Path(self.path).read_bytes()
            with _blob(self.path) as blob:
                content: bytes = blob.download_as_bytes()
                return content
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            _log.warning("%s can't be read (%s): the work starts again", self.path, error)
            return None

    def write(self, content: bytes) -> None:
        """Write the content in place of what was there."""
        try:
            if is_gs_uri(self.path):
                with _blob(self.path) as blob:
                    blob.upload_from_string(content, "application/octet-stream", checksum="crc32c")
            else:
                with atomic_path(self.path) as draft:
                    draft.write_bytes(content)
        except OSError as error:
            _log.warning("%s can't be kept (%s): the work goes on, but would start again", self.path, error)

    def remove(self) -> None:
        """Remove the file if it is there."""
        try:
            if is_gs_uri(self.path):
                with _blob(self.path) as blob:
                    blob.delete()
            else:
                Path(self.path).unlink(missing_ok=True)
        except (FileNotFoundError, NotADirectoryError):
            pass
        except OSError as error:
            _log.warning("%s is no longer needed and can't be removed: %s", self.path, error)


@contextmanager
def _blob(uri: str) -> Iterator[Any]:
    """Give the object of a URI; what goes wrong with it is an OSError, as with a file.

    Raises:
        FileNotFoundError: If it does not exist.
        OSError: If the service refuses it or can't be reached.
    """
    from google.api_core.exceptions import GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError

    parts = GsUri.parse(uri)
    generator = random.getstate()
    try:
        yield parts.open_bucket().blob(parts.path)
    except NotFound as error:
        raise FileNotFoundError(error.message) from error
    except (GoogleAPIError, GoogleAuthError) as error:  # A request that can't be made is an OSError already.
        raise OSError(str(error)) from error
    finally:
        # The client draws from the generator that the seeds of a network come from.
        random.setstate(generator)
