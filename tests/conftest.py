"""What many tests share: one real run of the whole pipeline through the command line."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.build_test_set.build_test_set import build_test_set
from components.build_test_set.settings import TestSetSettings
from components.preprocess.preprocess import preprocess
from components.preprocess.settings import PreprocessSettings
from components.sources.synthetic_settings import SyntheticSettings
from components.split.settings import SplitSettings
from components.split.split import split
from pipeline.platforms.local.run_folder import RunFolder

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
        timeout=1700,
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


@dataclass(frozen=True)
class SmallData:
    """Paths of a small data set that went through the data stages."""

    images: str
    manifest: str
    test: str
    pool: str
    train: str
    validation: str


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Send a few synthetic faces through preprocess, build_test_set and split."""
    folder = tmp_path_factory.mktemp("small")
    paths = {name: str(folder / name) for name in (*SmallData.__dataclass_fields__, "rejects", "summary")}
    faces = SyntheticSettings(faces=400, image_side=32)
    preprocess(
        "synthetic",
        PreprocessSettings(synthetic=faces, floor_per_cell=2, max_reject_fraction=0.2),
        *(paths[name] for name in ("images", "manifest", "rejects", "summary")),
    )
    test_set = TestSetSettings(faces_per_cell=1)
    build_test_set(paths["manifest"], test_set, *(paths[name] for name in ("test", "pool", "summary")))
    split(paths["pool"], SplitSettings(), paths["train"], paths["validation"])
    return SmallData(*(paths[name] for name in SmallData.__dataclass_fields__))


@pytest.fixture(scope="session")
def run_cli():
    """Give the command line as a function."""
    return evenface


@pytest.fixture
def project():
    """Give the root of the checkout."""
    return Path(__file__).resolve().parents[1]
