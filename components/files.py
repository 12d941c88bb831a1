"""Writing artifacts so that a killed stage leaves nothing that looks finished."""

import json
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.errors import ArtifactError

_HOLDER = re.compile(r"\.(.+)\.[a-z0-9_]{8}")
"""Name of a temporary directory beside a target, as ``mkdtemp`` completes it."""


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``target``; what is written there replaces ``target`` if the block succeeds.

    What is created at the temporary path may be a file or a directory. If the block raises,
    it is removed and ``target`` stays unchanged. All of it is on the disk before it gets its name, so that a machine
    that loses its power leaves nothing under ``target`` that is empty or cut short.

    Args:
        target: Final path. Its parent directory is created.

    Yields:
        A path that does not exist yet, on the same file system as ``target``.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    holder = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
    try:
        draft = holder / target.name
        yield draft
        _flush(draft)
        if target.is_dir() and not target.is_symlink():
            # A directory can't be replaced in one call, and KFP creates some output directories in advance.
            shutil.rmtree(target)
        draft.replace(target)
        _flush_entry(target.parent)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


def is_holder(path: Path) -> bool:
    """Say whether a directory is one that :func:`atomic_path` made and, killed, did not remove."""
    match = _HOLDER.fullmatch(path.name)
    if match is None or path.is_symlink() or not path.is_dir():
        return False
    return all(entry.name == match[1] for entry in path.iterdir())


def _flush(path: Path) -> None:
    """Bring a file, or a directory with all that is in it, from the system's memory to the disk."""
    if path.is_dir():
        for folder, _, names in os.walk(path):
            for name in names:
                _flush_entry(Path(folder, name))
            _flush_entry(Path(folder))
    elif path.exists():  # If not, the rename will say so.
        _flush_entry(path)


def _flush_entry(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def write_json(path: str | os.PathLike[str], content: Any) -> None:
    """Write ``content`` as indented JSON with its keys in the given order, atomically."""
    with atomic_path(path) as draft:
        draft.write_text(json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def read_json(path: str | os.PathLike[str]) -> Any:
    """Read a JSON artifact.

    Raises:
        ArtifactError: If the file is missing or is not JSON.
    """
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ArtifactError(f"{path} does not exist", remedy="rerun the stage that writes it") from None
    except (ValueError, RecursionError) as error:
        raise ArtifactError(f"{path} is not JSON ({error})", remedy="rerun the stage that writes it") from None
