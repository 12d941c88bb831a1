"""What runs a local run's stages: processes of this Python, or another executor with the same interface."""

import contextlib
import hashlib
import platform
import sys
from collections.abc import Iterator
from importlib.metadata import distributions
from pathlib import Path
from typing import Any, Protocol

import kfp.local

from pipeline.platforms.local.stage_process import StageProcesses

_ROOT = Path(__file__).resolve().parents[3]


class Executor(Protocol):
    """What runs a local run's stages.

    Attributes:
        image: Identity of the code that the stages run, part of KFP's cache keys.
    """

    image: str

    def runner(self, reads: list[Path], writes: list[Path]) -> contextlib.AbstractContextManager[Any]:
        """Return a context with KFP's runner for a run that reads and writes these paths."""

    def stop(self) -> None:
        """End the stages that run, and start no more. Called by the handler of a signal."""


class SubprocessExecutor:
    """Runs the stages as processes of this Python environment."""

    def __init__(self) -> None:
        self.image = f"evenface-python:{_version()}"
        self._processes = StageProcesses()

    @contextlib.contextmanager
    def runner(self, reads: list[Path], writes: list[Path]) -> Iterator[Any]:
        """Yield KFP's SubprocessRunner; a process sees every path anyway."""
        del reads, writes
        with self._processes.guarded():
            yield kfp.local.SubprocessRunner(use_venv=False)

    def stop(self) -> None:
        """End the stages that run, and start no more."""
        self._processes.stop()


def _version() -> str:
    """Identify what the stages run: KFP's cache keys hold the image's name, and here it stands for code and libraries.

    Every installed distribution counts, because what a library imports is not always what it declares.
    """
    digest = hashlib.sha256(f"{sys.implementation.cache_tag} {sys.version} {platform.machine()}\n".encode())
    for name, version in sorted({(found.name.lower(), found.version) for found in distributions()}):
        digest.update(f"{name}=={version}\n".encode())
    for file in sorted((_ROOT / "components").rglob("*")):
        if file.is_file() and "__pycache__" not in file.parts:
            digest.update(file.relative_to(_ROOT).as_posix().encode() + b"\0" + file.read_bytes() + b"\0")
    return digest.hexdigest()[:12]
