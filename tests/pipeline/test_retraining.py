"""A small retraining on own faces without a gender, tuned per variant, in processes and in containers."""

import json
import os
import re

import pyarrow.parquet as pq
import pytest

from components.dataset.manifest import Manifest
from components.errors import RequestError
from pipeline.platforms.local.docker_executor import DockerExecutor
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.settings import load_settings
from tests.pipeline.own_faces import CLASSES, write_own_faces

COLUMNS = "preprocess.table={image: photo, age: months, ethnicity: kind}"

RETRAINING = [
    word
    for setting in (
        "variants=[baseline, drw]",
        "seeds=[7]",
        "preprocess.duplicates=drop",
        "build_test_set.faces_per_cell=1",
        "tune.scope=per_variant",
        "tune.epochs=1",
        "training.epochs=2",
        "training.selection=balanced",
        # One branch has all processors, alone or not: sums in another order would be other numbers.
        "platform.parallelism=1",
    )
    for word in ("--set", setting)
]


@pytest.fixture(scope="module")
def own_faces(tmp_path_factory, run_cli):
    """Write faces and a table of them that says nothing of a gender, and give the settings that the check finds."""
    folder = tmp_path_factory.mktemp("own")
    unit = ("--set", "preprocess.age_unit=months")
    asked = ("--preset", "demo", "--set", COLUMNS, *unit, "--write", folder / "faces.yaml")
    checked = run_cli("check", write_own_faces(folder, without=["sex"]), *asked)
    assert checked.returncode == 0, checked.stdout[-3000:] + checked.stderr[-2000:]
    assert "There is no column 'gender', so the gender is switched off" in checked.stdout
    assert "outputs: [age, ethnicity]" in checked.stdout
    return folder / "faces.yaml"


def run_retraining(run_cli, faces, folder, *options):
    finished = run_cli("run", "--preset", "demo", "--config", faces, *RETRAINING, *options, "--output", folder)
    assert finished.returncode == 0, finished.stdout[-3000:] + finished.stderr[-2000:]
    return RunFolder(folder)


@pytest.fixture(scope="module")
def process_run(tmp_path_factory, run_cli, own_faces):
    return run_retraining(run_cli, own_faces, tmp_path_factory.mktemp("processes"))


@pytest.fixture(scope="module")
def container_run(tmp_path_factory, run_cli, own_faces):
    settings = load_settings("demo").platform.docker
    try:
        DockerExecutor.open(settings.image, settings)
    except RequestError as error:
        pytest.skip(str(error))
    # One of the two variants: its search and its training are its own, whatever stands beside it.
    alone = ("--set", "variants=[baseline]")
    return run_retraining(run_cli, own_faces, tmp_path_factory.mktemp("containers"), *alone, "--runner", "docker")


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


def test_own_labels_reach_the_test_set_the_report_and_the_models(process_run, own_faces, command):
    comparison = json.loads(process_run.comparison.read_text())
    dataset = comparison["dataset"]
    assert dataset["preprocess"]["labels_from"] == "table"
    labels = {"ethnicities": list(CLASSES), "genders": ["any"], "max_age": 2000, "age_unit": "months"}
    assert labels.items() <= dataset["labels"].items()
    assert dataset["labels"]["output_names"] == ["age", "ethnicity"]
    test = Manifest.read(process_run.data / "test.parquet")
    assert (test.cell_counts() == 1).all()
    assert (test.faces["age_bin"] == (test.faces["age"] - 1) // test.labels.age_bin_width).all()
    for row in comparison["variants"].values():
        assert set(row["ethnicity_recall"]) == set(CLASSES)
        assert list(row["age_mae_by_bin"]) == list(test.labels.age_bins)
        assert not [name for name in row if name.startswith("gender")]
        assert set(row["groups"]["age_mae"]["by_group"]) == set(CLASSES)
    report = process_run.report.read_text()
    assert "Elm &lt;b&gt;" in report
    assert "Elm <b>" not in report
    page = re.sub("<pre.*?</pre>", "", report, flags=re.DOTALL)
    assert "ender" not in page.partition("</style>")[2]
    assert "nan" not in report.lower().split()
    # The settings are shown as they are, and one of them counts in years whatever the ages do.
    for told in (page, process_run.log.read_text()):
        assert "months" in told
        assert not re.search(r"\byears?\b", told)
    predictions = pq.read_schema(process_run.predictions / "drw" / "7.parquet")
    assert not [name for name in predictions.names if "gender" in name]
    folder = process_run.recommended
    model = folder if (folder / "saved_model.pb").exists() else process_run.models / "drw" / "7"
    if model == folder:
        card = (folder / "model_card.md").read_text()
        assert "listed in a table" in card
        assert "months" in card
        assert "UTKFace" not in card
    shown = command("predict", own_faces.parent / "pictures" / "7.png", "--model", model)
    assert shown.code == 0, shown.err
    assert "months" in shown.out
    assert "gender" not in shown.out


def of_baseline(comparison):
    """Keep what depends on data, settings and seed alone, and on no other variant."""
    baseline = comparison["variants"]["baseline"].items()
    return {
        "baseline": {key: value for key, value in baseline if not key.startswith("train_seconds")},
        "posthoc": comparison["posthoc"].get("baseline+posthoc"),
        "search": comparison["tuning"]["searches"]["baseline"],
        **{name: comparison[name] for name in ("dataset", "dummy")},
    }


@pytest.mark.docker
def test_containers_and_processes_give_the_same_numbers(process_run, container_run):
    in_containers = json.loads(container_run.comparison.read_text())
    in_processes = json.loads(process_run.comparison.read_text())
    assert of_baseline(in_containers) == of_baseline(in_processes)
    ours, theirs = (run.predictions / "baseline" / "7.parquet" for run in (container_run, process_run))
    assert pq.read_table(ours).equals(pq.read_table(theirs))


@pytest.mark.docker
def test_everything_that_containers_wrote_belongs_to_the_caller(container_run):
    owners = {(path.stat().st_uid, path.stat().st_gid) for path in container_run.path.rglob("*")}
    assert owners == {(os.getuid(), os.getgid())}
