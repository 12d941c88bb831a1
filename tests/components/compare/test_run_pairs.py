"""Two runs side by side, through files as a run leaves them."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

from components.compare.contract import Comparison
from components.compare.run_pairs import FinishedRun, pair_runs
from components.evaluation.predictions import Predictions


@pytest.fixture
def first(demo_run):
    return FinishedRun("first", Comparison.read(demo_run.folder.comparison), demo_run.folder.predictions)


def changes_of(pair):
    return {(change.row, change.metric): change for change in pair.changes}


def test_ages_that_are_all_right_differ_by_the_whole_error_and_nothing_else_does(first, tmp_path):
    shutil.copytree(first.predictions, tmp_path / "test")
    path = tmp_path / "test" / "baseline" / "42.parquet"
    network = Predictions.read(path)
    perfect = network.faces.assign(predicted_age=network.faces["age"].astype(np.float64))
    replace(network, faces=perfect).write(path)
    pair = pair_runs(first, replace(first, name="second", predictions=tmp_path / "test"), resamples=200)
    assert pair.paired
    assert pair.notes == []
    changes = changes_of(pair)
    changed = changes["baseline", "age_mae"]
    mae = first.comparison.variants["baseline"].age_mae.value
    assert changed.difference == pytest.approx(-mae, abs=1e-3)
    assert changed.low < -mae < changed.high < 0
    assert changed.verdict == "better"
    assert [key for key, change in changes.items() if change.differs] == [("baseline", "age_mae")]


def test_what_two_runs_lead_to_is_paired_first_adjusted_as_each_run_has_adjusted_it(first):
    def leading_to(variant):
        recommended = first.comparison.recommended.model_copy(update={"variant": variant})
        return replace(first, comparison=first.comparison.model_copy(update={"recommended": recommended}))

    change = pair_runs(leading_to("baseline"), leading_to("baseline+posthoc"), resamples=200).changes[2]
    assert (change.row, change.metric) == ("baseline → baseline+posthoc", "ethnicity_macro_f1")
    # The networks are the same, so the difference is that of the run's own two rows.
    assert change.difference == pytest.approx(change.b - change.a, abs=2e-6)
    assert change.difference != 0
