"""What many tests share: one real run of the whole pipeline through the command line."""

import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from components.build_test_set.build_test_set import build_test_set
from components.build_test_set.settings import BuildTestSetSettings
from components.preprocess.preprocess import preprocess
from components.preprocess.settings import PreprocessSettings
from components.sources.synthetic_settings import SyntheticSettings
from components.split.settings import SplitSettings
from components.split.split import split
from pipeline.platforms.local.run_folder import RunFolder

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# What our clients are told by GsUri.open_bucket, for those of the tests: no requests in the background.
os.environ.setdefault("DISABLE_GCS_PYTHON_CLIENT_OTEL_BUCKET_METADATA", "true")
# A shell starts what runs in the background with Ctrl-C ignored, and every run that a test interrupts inherits that.
signal.signal(signal.SIGINT, signal.default_int_handler)


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
    rejects: str
    summary: str
    test: str
    pool: str
    test_summary: str
    train: str
    validation: str


@pytest.fixture(scope="session")
def small_data(tmp_path_factory):
    """Send a few synthetic faces through preprocess, build_test_set and split."""
    folder = tmp_path_factory.mktemp("small")
    data = SmallData(*(str(folder / name) for name in SmallData.__dataclass_fields__))
    faces = SyntheticSettings(faces=400, image_side=32)
    section = PreprocessSettings(synthetic=faces, floor_per_cell=2, max_reject_fraction=0.2)
    preprocess("synthetic", section, data.images, data.manifest, data.rejects, data.summary)
    build_test_set(data.manifest, BuildTestSetSettings(faces_per_cell=1), data.test, data.pool, data.test_summary)
    split(data.pool, SplitSettings(), data.train, data.validation)
    return data


@pytest.fixture(scope="session")
def run_cli():
    """Give the command line as a function."""
    return evenface


@pytest.fixture
def project():
    """Give the root of the checkout."""
    return Path(__file__).resolve().parents[1]
