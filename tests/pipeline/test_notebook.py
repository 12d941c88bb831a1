"""The notebook's three lines: a run, its data frames, its model."""

import subprocess
import sys

import pytest

from components.errors import RequestError
from pipeline.notebook import Run, run
from tests.components.pictures import encode_picture


def test_a_finished_run_is_read_as_data_frames_and_its_model_is_asked(demo_run, tmp_path):
    (tmp_path / "face.jpg").write_bytes(encode_picture())
    (tmp_path / "none.jpg").write_bytes(b"")
    result = Run(demo_run.folder.path)
    results = result.results()
    facts = demo_run.comparison["variants"]["ins"]["age_mae"]
    assert results.loc[("ins", "age_mae")].to_dict() == pytest.approx(
        {name: facts[name] for name in ("value", "low", "high")}
    )
    paired = result.paired()
    assert len(paired) == len(demo_run.comparison["paired"])
    assert {"a", "b", "metric", "difference", "low", "high", "p_adjusted", "verdict"} <= set(paired.columns)
    predicted = result.predict(tmp_path, model="models/ins/42")
    assert predicted["image"].tolist() == [str(tmp_path / "face.jpg"), str(tmp_path / "none.jpg")]
    assert predicted["age"].notna().tolist() == predicted["problem"].isna().tolist() == [True, False]
    assert predicted.filter(like="ethnicity_").iloc[0].sum() == pytest.approx(1, abs=1e-5)


def test_a_run_takes_sections_as_dictionaries_and_refuses_wrong_ones_before_anything_starts(tmp_path):
    for wrong, sentence in (
        ({"training": {"epoch": 3}}, "Unknown setting 'training.epoch' .did you mean 'epochs'"),
        ({"build_test_set": {"faces_per_cell": 500}}, "cells have too few faces"),
    ):
        with pytest.raises(RequestError, match=sentence):
            run("demo", output=tmp_path / "out", detail="quiet", **wrong)
    assert not (tmp_path / "out").exists()


def test_the_notebooks_module_imports_nothing_heavy():
    code = "import sys, pipeline.notebook; print({'tensorflow', 'keras', 'kfp', 'pandas'} & set(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.strip() == "set()"
