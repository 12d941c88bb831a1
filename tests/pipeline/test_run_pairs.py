"""Two runs side by side, through files as a run leaves them."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from components.evaluation.predictions import Predictions
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.run_pairs import compare_runs


@pytest.fixture
def other(demo_run, tmp_path):
    """Give a copy of the demo's results, and a function that changes the baseline's predictions in it."""
    folder = RunFolder(tmp_path / "other")
    shutil.copytree(demo_run.folder.predictions, folder.predictions)
    shutil.copy(demo_run.folder.comparison, folder.comparison)

    def change(edit):
        path = folder.predictions / "baseline" / "42.parquet"
        predictions = Predictions.read(path)
        replace(predictions, faces=edit(predictions.faces)).write(path)
        return folder

    return change


def rows_of(pair):
    return {(row.variant, row.metric): row for row in pair.rows}


def test_ages_that_are_all_right_differ_by_the_whole_error_and_nothing_else_does(demo_run, other):
    perfect = other(lambda faces: faces.assign(predicted_age=faces["age"].astype(np.float64)))
    pair = compare_runs(demo_run.folder, perfect, resamples=200)
    assert pair.paired
    assert pair.notes == []
    rows = rows_of(pair)
    changed = rows["baseline", "age_mae"]
    mae = demo_run.comparison["variants"]["baseline"]["age_mae"]["value"]
    assert changed.difference == pytest.approx(-mae, abs=1e-3)
    assert changed.low < -mae < changed.high < 0
    assert changed.differs
    assert [key for key, row in rows.items() if row.differs] == [("baseline", "age_mae")]


def test_other_test_faces_are_said_and_stand_unpaired(demo_run, other, command, tmp_path):
    folder = other(lambda faces: faces.iloc[1:].reset_index(drop=True))
    shown = command("runs", "compare", demo_run.folder.path, folder.path)
    assert shown.code == 0
    assert "judged on different test faces" in shown.out
    assert "difference" not in shown.out.splitlines()[1]
    assert command("runs", "compare", demo_run.folder.path, demo_run.folder.path).out.count("+0.000 (") > 4
    page = tmp_path / "two.html"
    assert f"Written to {page}" in command("runs", "compare", demo_run.folder.path, folder.path, "--output", page).out
    for place, run in enumerate((demo_run.folder, folder), 1):
        assert f"{place}. {run.path.name}" in page.read_text()
