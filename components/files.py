"""Writing artifacts so that a killed stage leaves nothing that looks finished."""

import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.errors import ArtifactError


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``target``; what is written there replaces ``target`` if the block succeeds.

    What is created at the temporary path may be a file or a directory. If the block raises,
    it is removed and ``target`` stays unchanged.

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
        if target.is_dir() and not target.is_symlink():
            # A directory can't be replaced in one call, and KFP creates some output directories in advance.
            shutil.rmtree(target)
        draft.replace(target)
    finally:
        shutil.rmtree(holder, ignore_errors=True)


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
