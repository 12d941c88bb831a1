"""Google Cloud Storage URIs, parsed in one place, and the client for what they name."""

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.errors import RequestError

if TYPE_CHECKING:
    from google.cloud import storage

_SCHEME = "gs://"


def is_gs_uri(text: str) -> bool:
    """Return whether a text is a ``gs://`` URI, of a bucket or of something in it."""
    return text.startswith(_SCHEME)


@dataclass(frozen=True)
class GsUri:
    """A bucket, or a place in it.

    Attributes:
        bucket: Name of the bucket.
        path: Name of an object or prefix of several, without a leading slash; empty for the whole bucket.
    """

    bucket: str
    path: str = ""

    @classmethod
    def parse(cls, text: str) -> "GsUri":
        """Return the parts of a URI.

        Args:
            text: ``gs://bucket`` or ``gs://bucket/path``; the scheme may be left out.

        Raises:
            RequestError: If it names no bucket.

        Example:
            >>> GsUri.parse("gs://faces/UTKFace.tar.gz")
            GsUri(bucket='faces', path='UTKFace.tar.gz')
        """
        bucket, _, path = text.removeprefix(_SCHEME).partition("/")
        if not bucket:
            raise RequestError(f"The URI '{text}' names no bucket", remedy="write gs://BUCKET or gs://BUCKET/PATH")
        return cls(bucket, path)

    def open_bucket(self) -> "storage.Bucket":
        """Return the bucket, with a client that does nothing unasked. No request is made yet.

        If ``STORAGE_EMULATOR_HOST`` is set, it is the emulator's.

        Raises:
            google.auth.exceptions.GoogleAuthError: If there are no credentials.
        """
        from google.cloud import storage

        # Otherwise the client asks for the bucket's description in a thread of its own, for traces that nobody takes;
        # its retries draw from the random generator that the seeds of a network come from.
        os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
        return storage.Client(project="evenface").bucket(self.bucket)

    def __str__(self) -> str:
        """Return the URI as text."""
        return f"{_SCHEME}{self.bucket}/{self.path}" if self.path else f"{_SCHEME}{self.bucket}"
