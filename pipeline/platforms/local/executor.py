"""What runs a local run's stages: processes of this Python, or another executor with the same interface."""

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Protocol

import kfp.local

_ROOT = Path(__file__).resolve().parents[3]


class Executor(Protocol):
    """What runs a local run's stages.

    Attributes:
        image: Identity of the code that the stages run, part of KFP's cache keys.
    """

    image: str

    def runner(self, reads: list[Path], writes: list[Path]) -> contextlib.AbstractContextManager[Any]:
        """Return a context with KFP's runner for a run that reads and writes these paths."""


class SubprocessExecutor:
    """Runs the stages as processes of this Python environment."""

    def __init__(self) -> None:
        self.image = f"evenface-python:{_code_version()}"

    @contextlib.contextmanager
    def runner(self, reads: list[Path], writes: list[Path]) -> Iterator[Any]:
        """Yield KFP's SubprocessRunner; a process sees every path anyway."""
        del reads, writes
        yield kfp.local.SubprocessRunner(use_venv=False)


def _code_version() -> str:
    """Identify the stages' code: KFP's cache keys hold the image's name, and here it stands for the code."""
    digest = hashlib.sha256()
    for file in sorted((_ROOT / "components").rglob("*")):
        if file.suffix in {".py", ".j2", ".css"}:
            digest.update(file.relative_to(_ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
