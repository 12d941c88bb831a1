"""A small retraining, tuned per variant, in processes and in containers: the same numbers."""

import json
import os

import pytest

from components.errors import RequestError
from pipeline.platforms.local.docker_executor import DockerExecutor
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.settings import load_settings

RETRAINING = [
    word
    for setting in (
        "variants=[baseline, drw]",
        "seeds=[7]",
        "preprocess.synthetic.faces=1500",
        "preprocess.duplicates=drop",
        "build_test_set.faces_per_cell=1",
        "tune.scope=per_variant",
        "tune.epochs=1",
        "training.epochs=2",
        "training.selection=balanced",
    )
    for word in ("--set", setting)
]


def run_retraining(run_cli, folder, *options):
    finished = run_cli("run", "--preset", "demo", *RETRAINING, *options, "--output", folder)
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-2000:]
    return RunFolder(folder)


@pytest.fixture(scope="module")
def process_run(tmp_path_factory, run_cli):
    return run_retraining(run_cli, tmp_path_factory.mktemp("processes"))


@pytest.fixture(scope="module")
def container_run(tmp_path_factory, run_cli):
    settings = load_settings("demo").platform.docker
    try:
        DockerExecutor.open(settings.image, settings)
    except RequestError as error:
        pytest.skip(str(error))
    return run_retraining(run_cli, tmp_path_factory.mktemp("containers"), "--runner", "docker")


def test_every_variant_trains_with_the_hyperparameters_of_its_own_search(process_run):
    comparison = json.loads(process_run.comparison.read_text())
    assert comparison["tuning"]["scope"] == "per_variant"
    assert "equal searches of 2 trials" in comparison["tuning"]["note"]
    searches = comparison["tuning"]["searches"]
    assert set(searches) == {"baseline", "drw"}
    for name, search in searches.items():
        about = json.loads((process_run.models / name / "7" / "variant.json").read_text())
        assert about["recipe"]["training"]["selection"] == "balanced"
        assert about["hyperparameters"] == search["values"]


def without_times(comparison):
    """Keep what depends on data, settings and seed alone."""
    variants = {
        name: {key: value for key, value in facts.items() if not key.startswith("train_seconds")}
        for name, facts in comparison["variants"].items()
    }
    same = {name: comparison[name] for name in ("dataset", "posthoc", "dummy", "paired", "recommended", "tuning")}
    return {"variants": variants, **same}


@pytest.mark.docker
def test_containers_and_processes_give_the_same_numbers(process_run, container_run):
    in_containers = json.loads(container_run.comparison.read_text())
    in_processes = json.loads(process_run.comparison.read_text())
    assert without_times(in_containers) == without_times(in_processes)


@pytest.mark.docker
def test_everything_that_containers_wrote_belongs_to_the_caller(container_run):
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in container_run.path.rglob("*")}
    assert owners == {(os.getuid(), os.getgid())}
