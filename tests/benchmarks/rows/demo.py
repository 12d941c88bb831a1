"""The row on `make run`, against the revision before the speed-ups."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns
from tests.benchmarks.row import Row, share

_REVISION = "cc7e8b3"
_PROJECT = Path(__file__).resolve().parents[3]


def demo_here(faces: Faces, turns: Turns) -> None:
    """Run the demo of this checkout."""
    _run_demo(_PROJECT, faces.folder / "demo-here", turns)


def demo_before(faces: Faces, turns: Turns) -> None:
    """Run the demo of the earlier revision, with the same Python and packages."""
    checkout = faces.folder / _REVISION
    packed = subprocess.run(["git", "archive", _REVISION], cwd=_PROJECT, check=True, capture_output=True).stdout
    with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
        archive.extractall(checkout, filter="data")
    _run_demo(checkout, faces.folder / "demo-before", turns)


def _run_demo(checkout: Path, output: Path, turns: Turns) -> None:
    command = [sys.executable, "-m", "pipeline", "run", "--preset", "demo", "--no-cache", "--output", str(output)]
    # A fresh copy has no bytecode, so that of both is made before the clock runs.
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", checkout / "pipeline", checkout / "components"], check=True
    )
    for _ in turns:
        subprocess.run(command, cwd=checkout, env={**os.environ, "PYTHONPATH": str(checkout)}, check=True)


def _revision_is_missing() -> str | None:
    if shutil.which("git") is None:
        return "git is not installed"
    probe = ["git", "cat-file", "-e", f"{_REVISION}^{{commit}}"]
    if subprocess.run(probe, cwd=_PROJECT, capture_output=True, check=False).returncode:
        return f"the revision {_REVISION} is not in this clone: git fetch --unshallow"
    return None


ROWS = (
    Row(
        "demo",
        f"make run, against the revision {_REVISION}",
        demo_here,
        demo_before,
        bars=(share(0.5, by="wall"), share()),
        pairs=1,
        warm_up=0,
        fresh=True,
        limit_seconds=900.0,
        skip=_revision_is_missing,
    ),
)
