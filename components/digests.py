"""Digests of what is on disk: who receives it can tell that nothing in it was changed."""

import hashlib
import os
from pathlib import Path
from typing import Any, Protocol

from components.errors import ArtifactError
from components.files import read_json, write_json

DIGESTS_FILE = "digests.json"
"""The SHA-256 of every other file in the folder, in hexadecimal, by its path relative to the folder."""

_SEAL = "sha256"
"""Where an artifact's metadata holds its digest."""


class Artifact(Protocol):
    """An artifact as KFP hands it to a stage."""

    @property
    def path(self) -> str:
        """File or folder where its content is."""

    metadata: dict[str, Any]
    """What the pipeline's metadata store knows about it, in numbers and texts."""


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


def compute_digests(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Return the SHA-256 of every file in a folder but ``digests.json``, by relative path, in the paths' order."""
    root = Path(folder)
    files = {path.relative_to(root).as_posix(): path for path in root.rglob("*") if path.is_file()}
    files.pop(DIGESTS_FILE, None)
    return {name: digest_of(files[name]) for name in sorted(files)}


def write_digests(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Write ``digests.json`` into a folder that is complete, and return what it holds."""
    digests = compute_digests(folder)
    write_json(Path(folder) / DIGESTS_FILE, digests)
    return digests


def verify_digests(folder: str | os.PathLike[str]) -> dict[str, str]:
    """Check every file of a folder against its ``digests.json``, and return what that holds.

    Raises:
        ArtifactError: If ``digests.json`` is missing or damaged, or if a file is missing, was changed or was added.
    """
    path = Path(folder) / DIGESTS_FILE
    stated, found = read_json(path), compute_digests(folder)
    if not isinstance(stated, dict):
        raise ArtifactError(f"{path} holds no digests", remedy="rerun the stage that writes it")
    for name in sorted({*stated, *found}):
        if stated.get(name) != found.get(name):
            state = "is missing" if name not in found else "was added" if name not in stated else "was changed"
            raise ArtifactError(
                f"{Path(folder) / name} {state} since the digests of its folder were taken",
                remedy="rerun the stage that wrote it, or fetch it again",
            )
    return found


def seal(*artifacts: Artifact) -> None:
    """Put the digest of each artifact into its metadata, which the platform keeps apart from its content.

    Args:
        artifacts: What a stage has made, complete.
    """
    for artifact in artifacts:
        artifact.metadata[_SEAL] = digest_of(artifact.path)


def require_unchanged(*artifacts: Artifact) -> None:
    """Refuse artifacts that are no longer what the stage that made them has sealed.

    On a cluster, a cache hands on what is in the bucket by its name alone.

    Args:
        artifacts: What a stage is about to read. One without a seal passes.

    Raises:
        ArtifactError: If the content of one was changed or removed.
    """
    for artifact in artifacts:
        if _SEAL in artifact.metadata and _differs(artifact.path, artifact.metadata[_SEAL]):
            raise ArtifactError(
                f"The artifact {Path(artifact.path).name} was changed or removed after its stage had ended",
                remedy="restore it, or make it again with --set platform.caching=false (on one machine: run again)",
            )


def _differs(path: str, digest: str) -> bool:
    try:
        return digest_of(path) != digest
    except FileNotFoundError:
        return True
