"""The identity of a source, computed before a run, so that caches hit exactly when the data is the same."""

import hashlib
from pathlib import Path

from components.errors import RequestError

SYNTHETIC = "synthetic"


def fingerprint_source(source: str) -> str:
    """Return the identity of a source's content.

    A folder is identified by the names and contents of its files, an archive by its content, a
    bucket by the names and generations of its objects. Synthetic faces follow from the settings,
    which every cache key holds anyway.

    Args:
        source: Folder, archive, gs:// URI of either, or ``"synthetic"``.

    Returns:
        A hexadecimal SHA-256, or ``"synthetic"``.

    Raises:
        RequestError: If the source does not exist or can't be read.
    """
    if source == SYNTHETIC:
        return SYNTHETIC
    if source.startswith("gs://"):
        return _fingerprint_bucket(source)
    path = Path(source)
    if not path.exists():
        raise RequestError(f"The source {source} does not exist", remedy="check --source")
    digest = hashlib.sha256()
    files = [path] if path.is_file() else sorted(item for item in path.rglob("*") if item.is_file())
    for file in files:
        digest.update(file.relative_to(path).as_posix().encode() + b"\0")
        with file.open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return digest.hexdigest()


def _fingerprint_bucket(source: str) -> str:
    from components.sources.bucket import list_blobs

    digest = hashlib.sha256()
    for blob in list_blobs(source):
        digest.update(f"{blob.name}\0{blob.generation}\0{blob.crc32c}\0".encode())
    return digest.hexdigest()
