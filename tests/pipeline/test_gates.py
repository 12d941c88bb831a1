"""Retraining only for a reason, and gates before training: what a run does and prints."""

import io
import json

import kfp.local
import pytest
from PIL import Image, ImageEnhance

from components.dataset.summaries import PreprocessSummary
from components.preprocess.preprocess import preprocess
from components.recommend.contract import RecommendedModel
from components.sources.source import parse_source
from components.sources.synthetic import generate
from components.sources.synthetic_settings import SyntheticSettings
from pipeline.definition import build_pipeline
from pipeline.platforms.local.executor import SubprocessExecutor
from pipeline.settings import load_settings

OVERRIDES = (
    "preprocess.max_reject_fraction=0.5",
    "build_test_set.faces_per_cell=500",
    "build_test_set.allow_shortfall=true",
)
"""Nothing is trained here: the test set takes every face."""


def write_faces(folder, faces=500, brightness=1.0, broken=0, **settings):
    """Write synthetic faces, some of them broken after the fact."""
    folder.mkdir()
    made = generate(SyntheticSettings(faces=faces, smallest_cell=2, broken_files=0, image_side=32, **settings))
    for place, (name, content) in enumerate(made):
        with Image.open(io.BytesIO(content)) as image, io.BytesIO() as saved:
            ImageEnhance.Brightness(image.convert("RGB")).enhance(brightness).save(saved, "JPEG")
            kept = saved.getvalue()
        (folder / name).write_bytes(kept[:200] if place < broken else kept)
    return folder


@pytest.fixture(scope="module")
def champion(tmp_path_factory):
    """Give faces, and the folder of a champion that says that it was made from them."""
    root = tmp_path_factory.mktemp("champion")
    source, settings = write_faces(root / "faces"), load_settings("demo", overrides=OVERRIDES)
    outputs = (str(root / name) for name in ("images", "manifest", "rejects", "summary"))
    preprocess(str(source), settings.preprocess, *outputs)
    profile = PreprocessSummary.read(root / "summary").profile
    folder = root / "recommended"
    profile.write(folder / "data_profile.json")
    RecommendedModel(
        standing="kept", because="", fingerprint=profile.fingerprint, labels=profile.labels, network=None,
        source_fingerprint=parse_source(str(source)).fingerprint(), settings_digest=settings.digest(),
        code=SubprocessExecutor().image,
    ).write(folder)  # fmt: skip
    return source, folder


@pytest.fixture
def run(command, champion, tmp_path):
    def run(source, *options):
        settings = [word for one in (*OVERRIDES, f"gates.reference={champion[1]}") for word in ("--set", one)]
        return command("run", "--preset", "demo", "--source", source, "--output", tmp_path / "out", *settings, *options)

    return run


def test_with_nothing_new_a_run_ends_at_once_as_a_success_and_says_so(run, champion, tmp_path):
    finished = run(champion[0])
    assert finished.code == 0
    assert finished.out == (
        f"Nothing new since the champion {champion[1]} was made: source, settings and code are the same. "
        "retrain.force or --force trains anyway.\n"
    )
    assert not (tmp_path / "out").exists()


def test_forced_unchanged_data_passes_every_gate(run, champion):
    finished = run(champion[0], "--force", "--verbose")
    assert "gates: 12 of 12 comparisons with the champion's data passed" in finished.out
    assert finished.sentence.startswith("evenface: Stage build_test_set failed")


def test_drifted_data_is_told_and_stops_where_a_gate_says_so(run, tmp_path):
    drifted = write_faces(tmp_path / "faces", brightness=0.5, class_shares=(0.1, 0.2, 0.5, 0.2, 0.0))
    finished = run(drifted, "--set", "gates.images.action=stop", "--verbose")
    assert finished.code == 1
    assert "Training, because the source differs from the champion's." in finished.out
    assert "gates.labels: ethnicity: " in finished.out
    assert "gates.images: brightness: mean " in finished.out
    assert finished.sentence.startswith("evenface: Stage gates failed: The gate images stops the run, because ")
    assert "set gates.images.action to warn if this is what the data is like now." in finished.sentence
    assert "build_test_set" not in finished.out


def test_a_third_of_broken_files_stops_before_training(run, tmp_path):
    broken = write_faces(tmp_path / "faces", broken=150)
    stopped = run(broken, "--set", "gates.reject_rate.action=stop")
    assert stopped.code == 1
    assert "are faulty files and 0.0% of the champion's were (a rise of" in stopped.sentence
    refused = run(broken, "--set", "preprocess.max_reject_fraction=0.05")
    assert "Stage preprocess failed" in refused.sentence
    assert "are faulty, mostly truncated image" in refused.sentence


@pytest.mark.filterwarnings("ignore")  # KFP names what its local runner has no use for.
def test_a_scheduled_run_takes_the_fingerprint_itself_and_goes_on_only_for_a_reason(champion, tmp_path, capsys):
    source, folder = champion
    settings = load_settings("demo", overrides=[*OVERRIDES, "resources.gates.retries=0"])
    pipeline = build_pipeline(settings, SubprocessExecutor().image, scheduled=True)
    kfp.local.init(kfp.local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path / "root"))
    pipeline(source=str(source), champion=str(folder))
    printed = capsys.readouterr().out
    assert "Nothing new since the champion" in printed
    assert not list((tmp_path / "root").rglob("manifest"))
    other = write_faces(tmp_path / "faces", class_shares=(0.1, 0.2, 0.5, 0.2, 0.0))
    with pytest.raises(RuntimeError, match="failed"):
        pipeline(source=str(other), champion=str(folder))
    printed = capsys.readouterr().out
    assert "training, because the source differs from the champion's" in printed
    assert "gates.labels: ethnicity: " in printed
    summary = json.loads(next((tmp_path / "root").rglob("summary")).read_text())
    assert summary["profile"]["fingerprint"] == summary["fingerprint"]
