"""The demo in containers, against the demo in processes."""

import json
import os

import pytest

from components.errors import RequestError
from pipeline.platforms.docker import Containers
from pipeline.platforms.local import RunFolder
from pipeline.settings import load_settings

pytestmark = pytest.mark.docker


@pytest.fixture(scope="module")
def container_run(tmp_path_factory, run_cli):
    settings = load_settings("demo").platform.docker
    try:
        Containers.open(settings.image, settings)
    except RequestError as error:
        pytest.skip(str(error))
    folder = RunFolder(tmp_path_factory.mktemp("containers"))
    finished = run_cli("run", "--preset", "demo", "--runner", "docker", "--output", folder.path)
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-2000:]
    return folder


def without_times(comparison):
    """Keep what depends on data, settings and seed alone."""
    variants = {
        name: {key: value for key, value in facts.items() if not key.startswith("train_seconds")}
        for name, facts in comparison["variants"].items()
    }
    same = {name: comparison[name] for name in ("dataset", "posthoc", "floor", "paired", "recommended", "tuning")}
    return {"variants": variants, **same}


def test_containers_and_processes_give_the_same_numbers(demo_run, container_run):
    in_containers = json.loads(container_run.comparison.read_text())
    in_processes = json.loads(demo_run.folder.comparison.read_text())
    assert without_times(in_containers) == without_times(in_processes)


def test_everything_that_containers_wrote_belongs_to_the_caller(container_run):
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in container_run.path.rglob("*")}
    assert owners == {(os.getuid(), os.getgid())}
