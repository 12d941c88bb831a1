"""The estimate: exact counts, sums that add up, prices, and polite refusals."""

import re
import subprocess
import sys
import tarfile
import zipfile

import pytest

from components.build_test_set.build_test_set import build_test_set
from components.dataset.labels import ETHNICITIES, GENDERS
from components.dataset.manifest import Manifest
from components.preprocess.preprocess import preprocess
from components.sources.face_labels import FaceLabels
from components.sources.source import parse_source
from components.sources.synthetic import generate
from components.sources.utkface import parse_name
from components.split.split import split
from pipeline.estimate.constants import read_constants
from pipeline.estimate.costs import Machine, Range, add_up, plan_pods, plan_work
from pipeline.estimate.faces import Faces, count_faces
from pipeline.platforms.prices import Prices
from pipeline.settings import load_settings

CONSTANTS = read_constants()
FACES = Faces(files=10_000, megabytes=50, test=640, validation=1000, train={"none": 4000, "downsample": 3000})
SMALL = ["preprocess.synthetic={faces: 700, smallest_cell: 4, duplicate_share: 0.0, image_side: 32}"]


def stages_of(works):
    return {work.stage: work for work in works}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Lay out the synthetic files as a folder, a tar and a zip."""
    path = tmp_path_factory.mktemp("faces")
    (path / "faces").mkdir()
    for name, content in generate(load_settings("demo", overrides=SMALL).preprocess.synthetic):
        (path / "faces" / name).write_bytes(content)
    with tarfile.open(path / "faces.tar.gz", "w:gz") as tar:
        tar.add(path / "faces", "faces")
    with zipfile.ZipFile(path / "faces.zip", "w") as archive:
        for file in (path / "faces").iterdir():
            archive.write(file, f"faces/{file.name}")
    return path


def test_the_counts_are_those_that_the_stages_find(folder, tmp_path):
    settings = load_settings(
        "demo", overrides=[*SMALL, "build_test_set.faces_per_cell=2"], source=str(folder / "faces")
    )
    paths = [str(tmp_path / name) for name in ("images", "manifest", "rejects", "summary")]
    facts = preprocess(settings.source, settings.preprocess, *paths)
    tables = [str(tmp_path / name) for name in ("test", "pool", "test_summary", "train", "validation")]
    build_test_set(paths[1], settings.build_test_set, *tables[:3])
    split(tables[1], settings.split, *tables[3:])
    test, train, validation = (len(Manifest.read(tmp_path / name)) for name in ("test", "train", "validation"))

    named = [(path, parse_name(path.name, 116)) for path in sorted((folder / "faces").rglob("*.*"))]
    rows = [(path, face) for path, face in named if isinstance(face, FaceLabels)]
    with (tmp_path / "faces.csv").open("w") as table:
        table.write("image,age,gender,ethnicity\n")
        table.writelines(f"{path},{face.age},{GENDERS[face.gender]},{ETHNICITIES[face.race]}\n" for path, face in rows)

    for place in (folder / "faces", folder / "faces.tar.gz", folder / "faces.zip", tmp_path / "faces.csv"):
        counted = count_faces(parse_source(str(place)), settings, CONSTANTS.sizes)
        assert counted.files == (len(rows) if place.suffix == ".csv" else facts["files"])
        assert counted.test == test
        # Faulty pictures with a good name (truncated, empty, no colour) are found out by reading alone.
        spare = counted.train["none"] + counted.validation - train - validation
        assert 0 <= spare <= facts["faults"] < 10
        assert abs(counted.validation - validation) <= 3
    synthetic = count_faces(parse_source("synthetic"), settings, CONSTANTS.sizes)
    assert synthetic.files == facts["files"]
    # Of the broken files, those with a name that can be read count where they are only listed.
    assert synthetic.train["none"] + synthetic.validation == pytest.approx(train + validation, abs=5)


def test_steps_and_images_follow_from_the_settings():
    settings = load_settings(
        "demo",
        overrides=[
            "seeds=[1, 2, 3]",
            "training.patience=2",
            "training.epochs=10",
            "variants=[baseline, downsample, drw]",
        ],
    )
    works = stages_of(plan_work(settings, FACES, CONSTANTS))
    # 4,000 faces are 63 batches of 64, and 3,000 are 47. Deferred re-weighting trains for all epochs.
    assert works["train"].steps == Range(3 * (3 * 63 + 3 * 47 + 10 * 63), 3 * 10 * (63 + 47 + 63))
    assert works["train"].images.high == 3 * 10 * (5000 + 4000 + 5000)
    assert works["tune"].steps == Range(2 * 2 * 63, 2 * 2 * 63)
    assert works["evaluate"].images == Range(9 * (640 + 1000), 9 * (640 + 1000))
    twice = load_settings("demo", overrides=["tune.trials=4", "tune.scope=per_variant"])
    assert stages_of(plan_work(twice, FACES, CONSTANTS))["tune"].tasks == 4


def test_the_stages_add_up_and_more_work_takes_longer():
    def total(*overrides, cores=2):
        works = plan_work(load_settings("poc", overrides=overrides, source="faces"), FACES, CONSTANTS)
        return add_up(works, lambda work: work.local_seconds(cores))

    assert total().low < total().high
    assert total().high < total("seeds=[1, 2]").high < total("seeds=[1, 2]", "tune.trials=40").high
    assert total(cores=4).high == pytest.approx(total().high / 2, rel=0.02)
    assert total("model.image_size=112").high < total().high / 2
    machine = Machine.here()
    assert machine.cores >= 1


def test_a_platform_costs_what_its_machines_cost():
    prices = Prices(cpu_core_hour=0.04, memory_gb_hour=0.005, accelerator_hour={"nvidia-t4": 0.35}, spot_share=0.5)
    settings = load_settings("production", source="gs://faces", overrides=["resources.tune.spot=true"])
    pods = plan_pods(settings, plan_work(settings, FACES, CONSTANTS), CONSTANTS, prices)
    costs = {cost.work.stage: cost for cost in pods}
    train, tune = costs["train"], costs["tune"]
    assert (train.work.tasks, tune.work.tasks) == (12, 4)
    hourly = 8 * 0.04 + 30 * 0.005 + 0.35
    assert train.price.high == pytest.approx(train.pod_hours.high * hourly)
    assert train.pod_hours.high == pytest.approx(12 * train.seconds.high / 3600)
    assert tune.price.high == pytest.approx(tune.pod_hours.high * hourly * 0.5)
    # Four GPUs share the trials of a search.
    four = ["resources.tune.accelerator_count=4", "tune.parallel_trials=4"]
    settings = load_settings("production", source="gs://faces", overrides=four)
    faster = {
        cost.work.stage: cost for cost in plan_pods(settings, plan_work(settings, FACES, CONSTANTS), CONSTANTS, None)
    }
    assert faster["tune"].seconds.high < tune.seconds.high / 3
    assert faster["tune"].price is None
    # Parts of the source are read by a pod each, and merged.
    settings = load_settings("production", source="gs://faces", overrides=["preprocess.parts=4"])
    parted = {
        cost.work.stage: cost for cost in plan_pods(settings, plan_work(settings, FACES, CONSTANTS), CONSTANTS, None)
    }
    assert parted["preprocess"].work.tasks == 4
    assert parted["preprocess"].seconds.high < costs["preprocess"].seconds.high
    assert parted["merge_parts"].work.tasks == 1
    # A GPU without a price makes no sum.
    assert Prices(cpu_core_hour=1, memory_gb_hour=1).per_hour(settings.resources.tune) is None


def test_an_estimate_starts_nothing_and_needs_no_tensorflow(tmp_path):
    output = tmp_path / "out"
    code = (
        "import sys; from pipeline import cli\n"
        f"sys.argv = ['evenface', 'run', '--estimate', '--output', {str(output)!r}]\n"
        "try: cli.main()\n"
        "finally: print([name for name in ('tensorflow', 'keras', 'kfp') if name in sys.modules])"
    )
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    lines = finished.stdout.splitlines()
    assert lines[-1] == "[]"
    rows = {line.split()[0]: line.split() for line in lines if len(line.split()) > 6}
    assert rows["train"][1] == "4"
    assert "Processor time" in finished.stdout
    assert not output.exists()


def test_a_platform_is_estimated_and_sent_nothing(command):
    printed = command("submit", "--target", "vertex", "--preset", "demo", "--estimate")
    assert printed.code == 0, printed.err
    assert "nvidia-t4" in printed.out
    assert "pod-hours" in printed.out
    assert "Prices in the section prices" in printed.out


def test_on_a_cluster_every_stage_is_counted_and_so_many_branches_run_at_once_as_the_settings_say(command, monkeypatch):
    monkeypatch.setenv("COLUMNS", "200")

    def estimate(*settings):
        asked = [option for setting in ("tune.scope=per_variant", *settings) for option in ("--set", setting)]
        printed = command("submit", "--target", "kubeflow", "--preset", "demo", "--estimate", *asked)
        assert printed.code == 0, printed.err
        rows = {cells[0]: cells for line in printed.out.splitlines() if (cells := re.split(r"  +", line.strip()))[1:]}
        ends = {stage: cells[-2].split("–")[-1].split() for stage, cells in rows.items() if cells[-1][:1].isdigit()}
        return {stage: float(end[0]) * {"s": 1, "min": 60}[end[1]] for stage, end in ends.items()}, printed.out

    seconds, out = estimate()
    stages = [work.stage for work in plan_work(load_settings("demo"), FACES, CONSTANTS)]
    assert list(seconds) == [*stages, "all, in turn"]
    assert "at once" not in out
    # The demo trains and tunes four variants: three at once take two rounds of each, one at a time takes four.
    looped = seconds["tune"] + seconds["train"] + seconds["evaluate"]
    for parallelism, rounds in ((1, 4), (3, 2), (4, 1)):
        limited, out = estimate(f"platform.parallelism={parallelism}")
        assert limited["all, in turn"] - seconds["all, in turn"] == pytest.approx((rounds - 1) * looped, abs=6)
        assert (f"platform.parallelism lets {parallelism} of" in out) == (rounds > 1)

    # What a run does only where it is asked to.
    asked = ["promotion.registry=gs://models/faces", "tracking.mlflow_uri=https://mlflow.example.org"]
    more, _ = estimate(*asked)
    assert set(more) - set(seconds) == {"promote", "track"}
    assert more["all, in turn"] >= seconds["all, in turn"] + 3


def test_a_source_that_cannot_be_seen_or_filled_is_said_to_be_so(command, folder):
    refused = command("run", "--estimate", "--source", "nowhere/faces")
    assert refused.code == 2
    assert "The source nowhere/faces can't be seen from here" in refused.sentence
    printed = command("run", "--estimate", "--source", folder / "faces", "--set", "build_test_set.faces_per_cell=50")
    assert "have fewer than 50 faces" in printed.out
