"""The comparison of several runs: its content, its honesty about what is missing, its repeatability."""

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from statsmodels.stats.multitest import multipletests

from components.compare.comparison import build_comparison
from components.compare.contract import Comparison, RunPlace
from components.compare.galleries import find_galleries
from components.compare.provenance import describe_run, describe_trials, describe_tuning
from components.compare.settings import CompareSettings, ReportSettings
from components.errors import DataError
from components.evaluation import blocks
from components.evaluation.catalogue import SCALARS
from components.evaluation.frame import score
from components.evaluation.paired import mcnemar_exact
from components.model.settings import Hyperparameters
from components.training.search import SearchResult
from tests.components.simulation import PRIORS, simulate_dataset, simulate_run, simulate_test_set

SETTINGS = CompareSettings(resamples=200, permutations=199)


@pytest.fixture(scope="module")
def data(predict):
    return simulate_dataset(predict())


def _compare(runs, data, settings=SETTINGS, expected=()):
    places = [
        RunPlace(
            variant=run.record.variant, seed=run.record.seed, model="m", predictions="p", validation_predictions="v"
        )
        for run in runs
    ]
    return build_comparison(runs, data, settings, expected=expected, searches={}, places=places)


@pytest.fixture(scope="module")
def runs(predict):
    return [
        *(simulate_run(predict("baseline", seed, priors=PRIORS)) for seed in (1, 2)),
        *(simulate_run(predict("downsample", seed, priors=[0.38, 0.33, 0.06, 0.23])) for seed in (1, 2)),
        *(simulate_run(predict("logit_adjusted", seed), output_priors=[0.25] * 4) for seed in (1, 2)),
    ]


@pytest.fixture(scope="module")
def comparison(runs, data):
    return _compare(runs, data, expected=[(run.record.variant, run.record.seed) for run in runs])


def test_it_has_the_keys_that_other_programs_read(comparison):
    content = comparison.to_json()
    assert content["dataset"].items() >= {
        "fingerprint": "fingerprint", "faces": 3000, "rejected": 3, "train": 2000, "validation": 320, "test": 640,
    }.items()  # fmt: skip
    for row in content["variants"].values():
        assert row["seeds"] == [1, 2]
        for metric in ("age_mae", "gender_accuracy", "ethnicity_macro_f1"):
            assert row[metric]["low"] <= row[metric]["value"] <= row[metric]["high"]
        assert list(row["ethnicity_recall"]) == ["White", "Black", "Asian", "Indian"]
        assert next(iter(row["age_mae_by_bin"])) == "1-10"
        assert np.shape(row["ethnicity_confusion"]) == (4, 4)
        assert np.shape(row["gender_confusion"]) == (2, 2)
        assert row["train_seconds"] == 10
    assert set(content["paired"][0]) >= {"a", "b", "metric", "difference", "low", "high", "p", "p_adjusted"}
    assert set(content["recommended"]) >= {"variant", "because"}


def test_what_is_written_is_read_back_and_holds_no_nan(comparison, tmp_path):
    comparison.write(tmp_path / "comparison.json")
    assert Comparison.read(tmp_path / "comparison.json") == comparison
    assert comparison.variants["baseline"].history["1"] == {
        "epoch": [1, 2], "loss": [3.0, None], "val_loss": [3.5, 3.0],
    }  # fmt: skip


def test_values_are_means_over_seeds_with_their_sample_deviation(comparison, predict):
    by_seed = [score(predict("baseline", seed, priors=PRIORS)) for seed in (1, 2)]
    row = comparison.variants["baseline"]
    for name, metric in SCALARS.items():
        values = [float(frame.overall[name]) for frame in by_seed]
        assert row.scalar(metric).value == pytest.approx(np.mean(values), abs=1e-6)
        assert row.scalar(metric).std == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    confusion = sum(frame.confusion["ethnicity"] for frame in by_seed)
    assert row.ethnicity_confusion == confusion.tolist()
    np.testing.assert_allclose(row.ethnicity_confusion_normalised, confusion / 320, atol=1e-6)


def test_groups_name_the_worst_and_the_gap(comparison):
    groups = comparison.variants["baseline"].groups["ethnicity_recall"]
    values = {name: group.value for name, group in groups.by_group.items()}
    assert groups.worst.group == min(values, key=values.get)
    assert groups.difference.value == pytest.approx(max(values.values()) - min(values.values()), abs=1e-5)
    assert all(group.faces == 80 for group in groups.by_group.values())


def test_posthoc_lifts_the_rare_class_and_is_a_row_of_its_own(comparison):
    before, after = comparison.variants["baseline"], comparison.posthoc["baseline+posthoc"]
    assert after.ethnicity_recall["Asian"] > before.ethnicity_recall["Asian"] + 0.1
    assert after.age_mae == before.age_mae
    assert (after.derived_from, after.tau, after.train_seconds) == ("baseline", 1, 0)
    shares = [found.class_priors["Asian"] for found in after.adjustments.values()]
    assert list(after.adjustments) == ["1", "2"]
    assert len(set(shares)) == 2
    assert np.mean(shares) == pytest.approx(after.class_priors["Asian"], abs=1e-6)


def test_the_network_to_ship_has_the_median_of_its_row_on_the_validation_faces(comparison, runs):
    found = comparison.recommended
    assert (found.standing, found.model) == ("kept", "baseline")
    # Every cell has as many validation faces as any other, so re-weighting changes nothing.
    scores = {
        str(run.record.seed): float(score(run.validation).overall["ethnicity_macro_f1"])
        for run in runs
        if run.record.variant == found.model
    }
    assert found.validation_scores == pytest.approx(scores, abs=1e-6)
    assert str(found.seed) == min(scores, key=scores.get)


def test_posthoc_leaves_out_a_variant_whose_priors_are_corrected_already(comparison):
    assert set(comparison.posthoc) == {"baseline+posthoc", "downsample+posthoc"}


def test_the_dummy_is_far_below_a_trained_network(comparison):
    dummy = comparison.dummy
    assert dummy.predicts["ethnicity"] == "White"
    macro_f1 = dummy.ethnicity_macro_f1
    assert (macro_f1.value, macro_f1.low, macro_f1.high) == (0.1, 0.1, 0.1)
    assert dummy.age_mae.value > comparison.variants["baseline"].age_mae.value


def test_each_variant_is_tested_against_the_baseline_and_adjusted_for_all_tests(comparison):
    paired = comparison.paired
    assert {(test.a, test.metric) for test in paired} == {
        *((name, metric) for name in ("downsample", "logit_adjusted")
          for metric in ("age_mae", "gender_accuracy", "ethnicity_accuracy", "ethnicity_macro_f1")),
        *((f"{name}+posthoc", metric) for name in ("baseline", "downsample")
          for metric in ("ethnicity_accuracy", "ethnicity_macro_f1")),
    }  # fmt: skip
    adjusted = multipletests([test.p for test in paired], method="holm")[1]
    assert [test.p_adjusted for test in paired] == pytest.approx(adjusted.tolist())


def test_one_seed_is_tested_by_mcnemar_itself(runs, data, predict):
    found = _compare([runs[0], runs[2]], data)
    test = next(test for test in found.paired if (test.a, test.metric) == ("downsample", "gender_accuracy"))
    right = [(run.predictions.faces["predicted_gender"] == run.predictions.faces["gender"]).to_numpy()
             for run in (runs[2], runs[0])]  # fmt: skip
    expected = mcnemar_exact(*right)
    assert test.test == "mcnemar_exact"
    assert test.p == expected.p
    assert test.difference == pytest.approx((expected.a_only - expected.b_only) / 640, abs=1e-6)
    assert found.variants["baseline"].age_mae.std is None


def test_the_choice_finds_the_corrected_prior_and_two_seeds_are_too_few_to_confirm_it(comparison):
    recommended = comparison.recommended
    [chosen] = [candidate for candidate in recommended.candidates if candidate.chosen]
    assert chosen.variant in {"logit_adjusted", "baseline+posthoc", "downsample+posthoc"}
    assert chosen.gain > 0.05
    assert (recommended.standing, recommended.variant) == ("kept", "baseline")
    assert f"{chosen.variant} was chosen on the validation faces, but its gain in ethnicity" in recommended.because


def test_a_failed_run_is_marked(runs, data):
    expected = [(name, seed) for name in ("baseline", "downsample", "ins") for seed in (1, 2)]
    found = _compare(runs[:3], data, expected=expected)
    missing = [(run.variant, run.seed) for run in found.missing]
    assert missing == [("downsample", 2), ("ins", 1), ("ins", 2)]
    assert found.variants["downsample"].status == "incomplete"
    assert found.variants["baseline"].status == "complete"
    assert next(test for test in found.paired if test.a == "downsample").seeds == [1]
    assert "ins with seed 1" in found.notes[-1]


def test_without_the_baseline_nothing_is_tested_or_recommended(runs, data):
    found = _compare(runs[2:], data)
    assert found.paired == []
    assert found.recommended.variant is None
    assert "baseline has no results" in found.recommended.because


def test_the_same_runs_in_any_order_give_the_same_numbers(comparison, runs, data):
    shuffled = [
        dataclasses.replace(run, predictions=dataclasses.replace(
            run.predictions, faces=run.predictions.faces.sample(frac=1, random_state=place).reset_index(drop=True)))
        if place else run
        for place, run in enumerate(runs)
    ]  # fmt: skip
    expected = [(name, seed) for name in ("baseline", "downsample", "logit_adjusted") for seed in (1, 2)]
    again = _compare([shuffled[0], *shuffled[:0:-1]], data, expected=expected)
    for name, row in comparison.variants.items():
        assert again.variants[name] == row


@pytest.mark.parametrize("block_size", [3000, 10_000])
def test_memory_is_walked_in_blocks_whose_size_changes_nothing(runs, data, monkeypatch, block_size):
    whole = _compare(runs[:4], data)
    monkeypatch.setattr(blocks, "BLOCK_SIZE", block_size)
    assert _compare(runs[:4], data) == whole


def test_another_seed_draws_other_resamples(comparison, runs, data):
    other = _compare(runs, data, SETTINGS.model_copy(update={"seed": 9}))
    ours, theirs = (made.variants["baseline"].age_mae for made in (comparison, other))
    assert ours.value == theirs.value
    assert ours.low != theirs.low


def test_no_run_twice_the_same_run_and_other_faces_are_refused(runs, data, make_manifest):
    with pytest.raises(DataError, match="no runs to compare"):
        _compare([], data)
    with pytest.raises(DataError, match="appears twice with seed 1"):
        _compare([runs[0], runs[0]], data)
    with pytest.raises(DataError, match="not for the faces of the test set"):
        _compare(runs, dataclasses.replace(data, test=make_manifest(640)))


def test_the_note_on_tuning_says_who_was_searched():
    def note(**trials):
        searches = {
            name: SearchResult(variant=name, values=Hyperparameters(), source="a search", trials=count)
            for name, count in trials.items()
        }
        return describe_tuning(searches).note

    assert "no search" in note(baseline=0)
    assert "search of 20 trials chose for baseline" in note(baseline=20)
    assert "equal searches of 20" in note(baseline=20, ins=20)
    assert "unequal" in note(baseline=20, ins=5)


def test_settings_survive_the_trip_through_a_kfp_parameter():
    floats = json.loads(json.dumps(SETTINGS.to_parameter()), parse_int=float)
    assert CompareSettings.from_parameter(floats) == SETTINGS


def test_a_small_test_set_with_an_absent_class_gives_nulls_not_nans(predict, data, make_manifest, tmp_path):
    def without_asian(variant):
        whole = predict(variant, 1, per_cell=1, priors=PRIORS)
        kept = whole.faces[whole.faces["ethnicity"] != 2].reset_index(drop=True)
        return dataclasses.replace(whole, faces=kept)

    runs = [simulate_run(without_asian(variant)) for variant in ("baseline", "ins")]
    test = simulate_test_set(runs[0].predictions)
    found = _compare(runs, dataclasses.replace(data, test=test))
    found.write(tmp_path / "comparison.json")
    row = found.variants["baseline"]
    assert row.ethnicity_recall["Asian"] is None
    asian = row.groups["age_mae"].by_group["Male, Asian"]
    assert (asian.faces, asian.value, asian.low, asian.high) == (0, None, None, None)
    assert "Asian" not in row.groups["ethnicity_recall"].worst.group
    assert found.dataset.natural.covered_share == pytest.approx(0.96, abs=0.02)
    assert "leave out" in " ".join(found.notes)


def test_every_cell_has_the_mean_of_its_faces_over_the_seeds(comparison, runs):
    cells = comparison.variants["baseline"].cells
    faces = [run.predictions.faces for run in runs[:2]]
    for name, code in (("Male, White, 1-10", 0), ("Female, Indian, 71-80", 63)):
        assert comparison.dataset.cells[code].name == name
        own = [table[runs[0].predictions.cells() == code] for table in faces]
        errors = np.mean([(table["predicted_age"] - table["age"]).abs().mean() for table in own])
        right = np.mean([(table["predicted_ethnicity"] == table["ethnicity"]).mean() for table in own])
        assert cells["age_mae"][code] == pytest.approx(errors, abs=1e-5)
        assert cells["ethnicity_accuracy"][code] == pytest.approx(right, abs=1e-5)


def test_galleries_show_the_network_to_ship_beside_the_reference(comparison, runs):
    kept = comparison.recommended
    assert {(gallery.variant, gallery.seed) for gallery in comparison.galleries} == {(kept.variant, kept.seed)}
    assert {gallery.kind for gallery in comparison.galleries} == {"examples", "best", "worst", "weakest"}
    chosen, reference, weakest = runs[4].predictions, runs[0].predictions, "Asian"
    galleries = {gallery.kind: gallery for gallery in find_galleries(chosen, reference, weakest, 8, seed=0)}
    for kind, is_right in (("gained", True), ("lost", False)):
        for ours, theirs in zip(galleries[kind].faces, galleries[kind].reference, strict=True):
            assert ours.image_id == theirs.image_id
            assert (ours.predicted_ethnicity == ours.ethnicity) is is_right
            assert (theirs.predicted_ethnicity == theirs.ethnicity) is not is_right
    assert all(face.ethnicity == weakest != face.predicted_ethnicity for face in galleries["weakest"].faces)

    def age_error(kind):
        return np.mean([abs(face.predicted_age - face.age) for face in galleries[kind].faces])

    assert age_error("best") < age_error("worst")
    assert all(face.gender == face.predicted_gender for face in galleries["best"].faces)


def test_a_run_tells_no_folder_of_the_machine_that_it_ran_on():
    about = ReportSettings(name="spring", preset="poc")
    assert describe_run("/home/ann/faces.zip", about).source == "faces.zip"
    assert describe_run("gs://bucket/faces", about).source == "gs://bucket/faces"
    assert describe_run("", about).source == ""


def test_the_trials_of_a_search_are_told_with_their_best_epoch():
    table = pd.DataFrame({
        "variant": ["baseline"] * 3, "trial": ["1", "1", "2"], "epoch": [1, 2, 0],
        "status": ["completed", "completed", "failed"], "learning_rate": [0.001, 0.001, 0.5],
        "val_score": [0.4, -0.1, None],
    })  # fmt: skip
    [first, second] = describe_trials(table)["baseline"]
    assert (first.score, first.epochs, first.hyperparameters) == (-0.1, 2, {"learning_rate": 0.001})
    assert (second.score, second.status) == (None, "failed")
    assert describe_trials(pd.DataFrame({"trial": [], "epoch": [], "variant": []})) == {}
