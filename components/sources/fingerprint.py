"""The identity of the faces in a source, whatever they are packed in and in whatever order."""

import hashlib
from collections.abc import Iterable


def content_fingerprint(files: Iterable[tuple[str, str]], root: str) -> str:
    """Return the SHA-256 over the names and contents of files.

    Args:
        files: Name and SHA-256 of each file, sorted; the hash is empty where the content can't be read.
        root: What all names have in common, from :func:`common_root`; left out, because an archive may hold a folder
            or only what is in it.
    """
    digest = hashlib.sha256()
    for name, content_hash in files:
        digest.update(f"{name[len(root) :]}\0{content_hash}\n".encode())
    return digest.hexdigest()


def common_root(first: str, last: str) -> str:
    """Return the folder that holds all names between two, in their sorted order, with its slash; empty if none does."""
    same = next((at for at, pair in enumerate(zip(first, last, strict=False)) if pair[0] != pair[1]), len(first))
    return first[: first.rfind("/", 0, same) + 1]
