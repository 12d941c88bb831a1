"""A place in a Google Cloud Storage bucket as a store."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from google.api_core.exceptions import Forbidden, GoogleAPIError, NotFound, PreconditionFailed, Unauthorized
from google.auth.exceptions import GoogleAuthError

from components.digests import DIGESTS_FILE
from components.gs_uri import GsUri
from components.registries.registry import RegistryError


class BucketStore:
    """A place in a bucket; the token of a state is the object's generation.

    Args:
        place: ``gs://BUCKET/FOLDER``. If ``STORAGE_EMULATOR_HOST`` is set, the emulator is used, without credentials.
    """

    def __init__(self, place: str) -> None:
        self.place = place.rstrip("/")
        uri = GsUri.parse(self.place)
        with self._explained():
            self._bucket = uri.open_bucket()
        self._folder = f"{uri.path}/" if uri.path else ""

    def read(self, name: str) -> tuple[bytes, int] | None:
        """Return a content and its generation."""
        with self._explained():
            while True:
                blob = self._bucket.get_blob(self._folder + name)
                if blob is None:
                    return None
                generation = blob.generation
                try:
                    return blob.download_as_bytes(if_generation_match=generation), generation
                except (NotFound, PreconditionFailed):
                    continue  # Replaced between the two requests.

    def replace(self, name: str, content: bytes, token: int | None) -> bool:
        """Write a content if its generation is still that of the token."""
        blob = self._bucket.blob(self._folder + name)
        with self._explained():
            try:
                blob.upload_from_string(
                    content, content_type="application/json", if_generation_match=token or 0, checksum="crc32c"
                )
            except PreconditionFailed:
                # The client repeats a request whose answer was lost: the object that is there may be this one.
                found = self.read(name)
                return found is not None and found[0] == content
        return True

    def names(self, prefix: str) -> list[str]:
        """Return every name below a prefix."""
        with self._explained():
            listed = self._bucket.list_blobs(prefix=self._folder + prefix, fields="items(name),nextPageToken")
            return sorted(blob.name[len(self._folder) :] for blob in listed)

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Upload a folder, its digests last; the service checks every file against its checksum."""
        files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        with self._explained():
            for path in sorted(files, key=lambda path: path == folder / DIGESTS_FILE):
                blob = self._bucket.blob(f"{self._folder}{prefix}/{path.relative_to(folder).as_posix()}")
                blob.upload_from_filename(str(path), checksum="crc32c")

    def get_folder(self, prefix: str, folder: Path) -> None:
        """Download everything below a prefix."""
        folder.mkdir(parents=True)
        for name in self.names(f"{prefix}/"):
            target = folder / name.removeprefix(f"{prefix}/")
            target.parent.mkdir(parents=True, exist_ok=True)
            with self._explained():
                self._bucket.blob(self._folder + name).download_to_filename(str(target))

    @contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except NotFound:
            raise RegistryError(
                f"The registry {self.place} does not exist", remedy="check the name of the bucket"
            ) from None
        except (Forbidden, Unauthorized) as error:
            raise RegistryError(
                f"The registry {self.place} can't be used with these credentials ({error.message})",
                remedy="grant them the role Storage Object User on the bucket",
            ) from None
        except GoogleAuthError as error:
            raise RegistryError(
                f"There are no working Google credentials for the registry {self.place} ({type(error).__name__})",
                remedy="run 'gcloud auth application-default login' or set GOOGLE_APPLICATION_CREDENTIALS",
            ) from None
        except (GoogleAPIError, requests.RequestException) as error:
            raise RegistryError(
                f"The registry {self.place} could not be reached, after retries ({type(error).__name__})",
                remedy="check the network and run the same command again",
            ) from error
