"""One real run of the whole pipeline, looked at from every side."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
import tensorflow as tf

from components.dataset.manifest import Manifest
from components.digests import verify_digests

VARIANTS = ["baseline", "ins", "downsample", "denseweight_lmf"]


@pytest.fixture(scope="module")
def manifests(demo_run):
    names = ("manifest", "test", "pool", "train", "validation")
    return {name: Manifest.read(demo_run.folder.data / f"{name}.parquet") for name in names}


def test_nothing_that_is_delivered_names_a_path_of_this_machine(demo_run, project):
    folder = demo_run.folder
    for file in (folder.report, folder.summary, folder.comparison, folder.log, folder.kfp_log):
        text = file.read_text()
        for path in {str(folder.path), str(project), sys.prefix, str(Path.home())}:
            assert not re.search(re.escape(path) + r"(?![\w.-])", text), f"{path} in {file.name}"
    for run in json.loads(folder.comparison.read_text())["runs"]:
        assert (folder.path / run["model"] / "saved_model.pb").is_file()
        assert (folder.path / run["predictions"]).is_file()
        assert (folder.path / run["validation_predictions"]).is_file()


def identities(manifest):
    return set(manifest.faces["image_id"])


def test_the_run_ends_with_a_table_and_paths_that_exist(demo_run):
    for variant in VARIANTS:
        assert any(line.strip().startswith(variant) for line in demo_run.printed.splitlines())
        assert (demo_run.folder.models / variant / "42" / "saved_model.pb").is_file()
    assert str(demo_run.folder.report) in demo_run.printed
    assert demo_run.folder.report.stat().st_size > 10_000
    assert demo_run.folder.summary.is_file()


def test_a_newcomer_sees_few_lines_that_name_the_run_and_none_of_a_library(demo_run):
    lines = demo_run.printed.splitlines()
    assert len(lines) < 60
    assert re.match(r"[\d,]+ files; expect .+ on \d+ cores?", lines[0])
    ends = [line for line in lines if re.search(r", \d+ of 16 stages$", line)]
    assert [line.split(", ")[-1] for line in ends] == [f"{number} of 16 stages" for number in range(1, 17)]
    for variant in VARIANTS:
        assert any(line.startswith(f"✓ train {variant}, seed 42 (") for line in ends)
    own, everything = demo_run.folder.log.read_text(), demo_run.folder.kfp_log.read_text()
    assert len(re.findall(r"epoch \d+/8  loss .*, age MAE \d+\.\d years, ", own)) == 8 * len(VARIANTS)
    for noise in ("KFP", "absl", "Warning", "executor_input", "{"):
        assert noise not in own.replace("hyperparameters {", "")
    assert "executor_input" in everything
    # A branch's lines are its own, whichever of two prints at the time.
    assert all("ins, seed 42:" not in line for line in everything.splitlines() if line.startswith("[train baseline"))


def test_the_comparison_has_the_documented_shape(demo_run):
    comparison = demo_run.comparison
    data = comparison["dataset"]
    assert {"fingerprint", "faces", "rejected", "train", "validation", "test"} <= set(data)
    assert list(comparison["variants"]) == VARIANTS
    for row in comparison["variants"].values():
        assert row["seeds"] == [42]
        for metric in ("age_mae", "gender_accuracy", "ethnicity_macro_f1"):
            assert row[metric]["low"] <= row[metric]["value"] <= row[metric]["high"]
        assert set(row["ethnicity_recall"]) == {"White", "Black", "Asian", "Indian"}
        assert len(row["age_mae_by_bin"]) == 8
        assert np.array(row["ethnicity_confusion"]).shape == (4, 4)
        assert np.array(row["gender_confusion"]).sum() == data["test"]
        assert row["train_seconds"] > 0
    assert {"a", "b", "metric", "difference", "low", "high", "p", "p_adjusted"} <= set(comparison["paired"][0])
    assert {"variant", "because"} <= set(comparison["recommended"])


def test_the_sets_partition_the_manifest(manifests):
    assert identities(manifests["test"]) | identities(manifests["pool"]) == identities(manifests["manifest"])
    assert not identities(manifests["test"]) & identities(manifests["pool"])
    assert identities(manifests["train"]) | identities(manifests["validation"]) == identities(manifests["pool"])
    assert not identities(manifests["train"]) & identities(manifests["validation"])


def test_no_copy_of_a_test_face_is_in_training(manifests):
    groups = {name: set(manifests[name].faces["duplicate_group"]) for name in ("test", "train", "validation")}
    assert not groups["test"] & (groups["train"] | groups["validation"])
    assert not groups["train"] & groups["validation"]


def test_the_test_set_is_balanced(manifests):
    test = manifests["test"]
    counts = np.bincount(test.cells(), minlength=test.labels.cell_count)
    assert len(counts) == 64
    assert len(set(counts)) == 1


def test_every_file_that_was_not_used_is_in_the_rejects_with_a_reason(demo_run, manifests):
    rejects = pq.read_table(demo_run.folder.data / "rejects.parquet").to_pandas()
    assert len(rejects) == demo_run.comparison["dataset"]["rejected"] > 0
    assert rejects["reason"].str.len().min() > 0
    assert not set(rejects["file_name"]) & set(manifests["manifest"].faces["file_name"])


def test_the_baseline_is_clearly_better_than_a_constant(demo_run):
    baseline, dummy = demo_run.comparison["variants"]["baseline"], demo_run.comparison["dummy"]
    assert baseline["age_mae"]["high"] < 0.85 * dummy["age_mae"]["value"]
    assert baseline["gender_accuracy"]["low"] > dummy["gender_accuracy"]["value"] + 0.1
    assert baseline["ethnicity_macro_f1"]["low"] > dummy["ethnicity_macro_f1"]["value"] + 0.2


def test_the_imbalance_shows(demo_run):
    recall = demo_run.comparison["variants"]["baseline"]["ethnicity_recall"]
    assert recall["Asian"] < recall["White"] - 0.15


def test_the_recommended_model_scores_a_jpeg_with_tensorflow_alone(demo_run, tmp_path):
    face = tmp_path / "face.jpg"
    picture = tf.io.encode_jpeg(np.random.default_rng(0).integers(0, 255, (200, 180, 3)).astype(np.uint8))
    face.write_bytes(picture.numpy())
    code = f"""
import json, sys
sys.modules["components"] = sys.modules["pipeline"] = None
import tensorflow as tf
model = tf.saved_model.load({str(demo_run.folder.recommended)!r})
scores = model.signatures["serving_default"](image_bytes=tf.constant([open({str(face)!r}, "rb").read()] * 2))
print(json.dumps({{name: value.numpy().tolist() for name, value in scores.items()}}))
"""
    finished = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    scores = {name: np.array(value) for name, value in json.loads(finished.stdout.splitlines()[-1]).items()}
    assert {name: value.shape for name, value in scores.items()} == {
        "age": (2, 1),
        "gender": (2, 1),
        "ethnicity": (2, 4),
    }
    assert ((scores["age"] >= 1) & (scores["age"] <= 80.001)).all()
    assert ((scores["gender"] >= 0) & (scores["gender"] <= 1)).all()
    assert scores["ethnicity"].sum(axis=1) == pytest.approx(1, abs=1e-5)


def test_the_recommended_model_is_one_folder_whose_numbers_are_those_of_its_row(demo_run):
    folder, choice = demo_run.folder.recommended, demo_run.comparison["recommended"]
    facts = json.loads((folder / "recommended.json").read_text())
    network = facts["network"]
    assert (facts["standing"], network["row"], network["variant"]) == (
        choice["standing"], choice["variant"], choice["model"]
    )  # fmt: skip
    row = (demo_run.comparison["variants"] | demo_run.comparison["posthoc"])[network["row"]]
    assert len(network["metrics"]) == 9
    for metric, value in network["metrics"].items():
        assert value == pytest.approx(row[metric]["by_seed"]["42"], abs=1e-4)
    assert verify_digests(folder).keys() >= {"saved_model.pb", "variant.json", "recommended.json", "model_card.md"}
    card = (folder / "model_card.md").read_text()
    assert row["title"] in card
    assert "The faces are synthetic" in card
    assert f"Recommended {folder}" in demo_run.printed
    assert "recommended/" in demo_run.folder.summary.read_text()


def test_the_history_and_the_variant_travel_with_the_model(demo_run):
    folder = demo_run.folder.models / "denseweight_lmf" / "42"
    about = json.loads((folder / "variant.json").read_text())
    history = pd.read_parquet(folder / "history.parquet")
    assert about["variant"] == "denseweight_lmf"
    assert about["epochs_run"] == len(history)
    assert {"loss", "val_loss", "val_age_mae", "val_gender_accuracy", "val_ethnicity_macro_f1"} <= set(history.columns)


def test_downsampling_trains_on_fewer_faces_and_says_so(demo_run):
    rows = demo_run.comparison["variants"]
    assert (
        rows["downsample"]["train_faces"] < rows["baseline"]["train_faces"] == demo_run.comparison["dataset"]["train"]
    )


def test_the_metrics_that_the_kfp_ui_draws_are_filled(demo_run):
    outputs = sorted(demo_run.folder.state.rglob("evaluate/executor_output.json"))
    assert len(outputs) == len(VARIANTS)
    for output in outputs:
        artifacts = json.loads(output.read_text())["artifacts"]
        metrics = artifacts["metrics"]["artifacts"][0]["metadata"]
        assert 0 < metrics["ethnicity_macro_f1"] <= 1
        for name in ("gender_metrics", "ethnicity_metrics"):
            drawn = artifacts[name]["artifacts"][0]["metadata"]["confusionMatrix"]
            assert sum(sum(row["row"]) for row in drawn["rows"]) == demo_run.comparison["dataset"]["test"]


def test_the_trials_have_a_row_per_trial_and_epoch(demo_run):
    trials = pd.read_parquet(demo_run.folder.data / "trials.parquet")
    assert len(trials) > 0
    assert not trials.duplicated(["variant", "trial", "epoch"]).any()


def test_the_run_says_how_it_went(demo_run):
    record = json.loads(demo_run.folder.record.read_text())
    recommended = demo_run.comparison["recommended"]
    assert (record["outcome"], record["standing"]) == ("done", recommended["standing"])
    assert record["recommended"] == recommended["variant"]
    assert record["started"] < record["ended"]
    assert record["request"] == {
        "source": "synthetic",
        "preset": "demo",
        "config": None,
        "overrides": [],
        "runner": "subprocess",
    }
    stages = [stage["stage"] for stage in record["stages"] if stage["outcome"] == "done" and stage["seconds"] > 0]
    assert stages.count("train") == stages.count("evaluate") == len(VARIANTS)
    assert 1e8 < record["peak_memory_bytes"] < 1e11


def test_the_same_run_again_repeats_no_stage(demo_run, run_cli):
    again = run_cli("run", "--preset", "demo", "--output", demo_run.folder.path)
    assert again.returncode == 0
    runs = [f"{stage} {variant}, seed 42" for stage in ("train", "evaluate") for variant in VARIANTS]
    for task in ("preprocess", "build_test_set", "split", "tune baseline", *runs, "compare", "recommend"):
        assert f"✓ {task} (unchanged since an earlier run), " in again.stdout
    assert "15 of 16 stages" in again.stdout
    assert {stage["outcome"] for stage in json.loads(demo_run.folder.record.read_text())["stages"]} == {"reused"}
    assert json.loads(demo_run.folder.comparison.read_text()) == demo_run.comparison


def test_the_report_is_drawn_anew_from_the_comparison_alone(demo_run, run_cli, tmp_path):
    shutil.copy(demo_run.folder.comparison, tmp_path)
    drawn = run_cli("report", tmp_path, "--no-open")
    assert drawn.returncode == 0, drawn.stderr
    assert (tmp_path / "report.html").read_text() == demo_run.folder.report.read_text()
