"""Digests of artifacts: what a file or a folder holds, in one short text."""

import hashlib
import os
from pathlib import Path


def digest_of(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file, or of the sorted names and digests of all files below a folder.

    Args:
        path: A file or a folder. Empty folders inside it don't count.

    Returns:
        64 hexadecimal digits.

    Raises:
        OSError: If something can't be read.
    """
    path = Path(path)
    if not path.is_dir():
        with path.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()
    listing = hashlib.sha256()
    for file in sorted(file for file in path.rglob("*") if file.is_file()):
        listing.update(f"{digest_of(file)}  {file.relative_to(path).as_posix()}\n".encode())
    return listing.hexdigest()
