"""What many tests share: one real run of the whole pipeline through the command line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.platforms.local import RunFolder

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def evenface(*arguments, cwd=None, **environment):
    """Run the command line as a user does."""
    command = [sys.executable, "-m", "pipeline", *map(str, arguments)]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=cwd,
        timeout=800,
        env={**os.environ, "COLUMNS": "200", **environment},
    )


@dataclass(frozen=True)
class DemoRun:
    """A finished run of the demo: its folder, its facts and what it printed."""

    folder: RunFolder
    comparison: dict
    printed: str


@pytest.fixture(scope="session")
def demo_run(tmp_path_factory):
    """Run the demo preset once for the whole session."""
    output = tmp_path_factory.mktemp("demo")
    finished = evenface("run", "--preset", "demo", "--output", output)
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-2000:]
    folder = RunFolder(output)
    return DemoRun(folder, json.loads(folder.comparison.read_text()), finished.stdout)


@pytest.fixture(scope="session")
def run_cli():
    """Give the command line as a function."""
    return evenface


@pytest.fixture
def project():
    """Give the root of the checkout."""
    return Path(__file__).resolve().parents[1]
