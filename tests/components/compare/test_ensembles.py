"""Ensembles: one model that averages a row's networks, scored, judged and recommended as such."""

import numpy as np
import pytest

from components.compare.comparison import build_comparison
from components.compare.settings import CompareSettings
from components.dataset.outputs import FOCUS, OUTPUTS
from components.evaluation.catalogue import CATALOGUE, MAIN, SCALARS
from components.evaluation.frame import score
from components.evaluation.predictions import average
from tests.components.simulation import PRIORS, simulate_dataset, simulate_predictions, simulate_run

SEEDS = (1, 2, 3)
FLAT = (0.25,) * 4


@pytest.fixture(scope="module")
def runs():
    """Give three networks of a biased baseline and three of a cure that corrects the prior."""
    return [
        simulate_run(simulate_predictions(name, seed, priors=priors), output_priors=priors)
        for name, priors in (("baseline", PRIORS), ("logit_adjusted", FLAT))
        for seed in SEEDS
    ]


def compare(runs, **settings):
    return build_comparison(
        runs, simulate_dataset(runs[0].predictions), CompareSettings(resamples=200, permutations=199, **settings),
        expected=[(run.record.variant, run.record.seed) for run in runs], searches={}, places=[],
    )  # fmt: skip


@pytest.fixture(scope="module")
def comparison(runs):
    return compare(runs, ensembles=True)


def test_its_numbers_are_those_of_the_averaged_answers(comparison, runs):
    assert list(comparison.ensembles) == ["baseline+ensemble", "baseline+posthoc+ensemble", "logit_adjusted+ensemble"]
    networks = [run.predictions for run in runs[:3]]
    means = {name: np.mean([run.scores(output) for run in networks], axis=0) for name, output in OUTPUTS.items()}
    faces, row = networks[0].faces, comparison.rows["baseline+ensemble"]
    mae = np.abs(means["age"] - faces["age"]).mean()
    right = ((means["gender"] >= 0.5) == faces["gender"]).mean()
    seen = (means["ethnicity"].argmax(axis=1) == faces["ethnicity"]).mean()
    assert row.scalar(SCALARS["age_mae"]).value == pytest.approx(mae, abs=1e-5)
    assert row.scalar(SCALARS["gender_accuracy"]).value == pytest.approx(right, abs=1e-6)
    assert row.scalar(SCALARS["ethnicity_accuracy"]).value == pytest.approx(seen, abs=1e-6)
    # Three independent errors of the age average out; the mean over the networks' own errors does not.
    assert mae < 0.7 * comparison.rows["baseline"].scalar(SCALARS["age_mae"]).value
    assert np.sum(row.confusion(FOCUS)) == len(faces)


def test_it_has_one_number_and_an_interval_that_allows_for_other_seeds(comparison, runs):
    row = comparison.rows["logit_adjusted+ensemble"]
    assert (row.seeds, row.averaged, row.derived_from) == ([1, 2, 3], "logit_adjusted", "logit_adjusted")
    for metric in MAIN.values():
        scalar = row.scalar(metric)
        assert (scalar.std, scalar.by_seed) == (None, {})
    metric = SCALARS["age_mae"]
    without = [
        float(score(average([run.predictions for run in runs[3:] if run.record.seed != seed])).overall[metric.name])
        for seed in SEEDS
    ]
    jackknife = 2 * np.var(without)
    scalar = row.scalar(metric)
    # At least a quarter of the seeds' variance counts, and two degrees of freedom make the ends wide.
    assert (scalar.high - scalar.low) / 2 > 0.5 * np.sqrt(jackknife) * 4.3 * 0.9
    alone = compare([run for run in runs if run.record.variant == "logit_adjusted"], ensembles=True)
    assert alone.rows["logit_adjusted+ensemble"].scalar(metric) == row.scalar(metric)


def test_it_is_tested_against_the_reference_over_faces_and_seeds(comparison):
    tests = {(test.a, test.metric): test for test in comparison.paired}
    for name in comparison.ensembles:
        test = tests[name, "ethnicity_macro_f1"]
        assert (test.test, test.seeds, test.std) == ("over_seeds", [1, 2, 3], None)
        change = comparison.rows[name].difference_to_reference.overall(SCALARS["ethnicity_macro_f1"])
        assert (test.difference, test.low, test.high) == (change.value, change.low, change.high)
    # The reference's own ensemble: the same networks, paired.
    assert tests["baseline+ensemble", "age_mae"].verdict == "better"
    assert set(tests["baseline+ensemble", "gender_accuracy"].by_seed) == {"1", "2", "3"}


def test_the_other_rows_are_as_without_ensembles(comparison, runs):
    plain = compare(runs)
    assert not plain.ensembles
    assert plain.variants == comparison.variants
    assert plain.posthoc == comparison.posthoc
    p_values = {(test.a, test.metric): test.p for test in comparison.paired}
    assert {(test.a, test.metric): test.p for test in plain.paired}.items() <= p_values.items()


def test_one_that_wins_is_shipped_with_all_its_networks(comparison, runs):
    chosen = comparison.recommended
    assert chosen.kind == "ensemble"
    assert chosen.standing == "recommended"
    assert chosen.seed is chosen.adjustment is None
    row = comparison.rows[chosen.variant]
    assert chosen.members == {str(seed): row.adjustments.get(str(seed)) for seed in SEEDS}
    assert list(chosen.validation_scores) == ["1", "2", "3"]
    assert f"averages the answers of the 3 networks of {row.averaged}" in chosen.because
    [candidate] = [each for each in chosen.candidates if each.variant == chosen.variant]
    assert candidate.consistent_over_seeds is None
    assert {(gallery.variant, gallery.seed) for gallery in comparison.galleries} == {(chosen.variant, None)}
    without = compare(runs, ensembles=True, recommendation={"posthoc": False}).recommended
    assert not any(each.eligible for each in without.candidates if "+posthoc" in each.variant)


def test_no_interval_of_a_bounded_metric_leaves_its_bounds(comparison):
    for row in comparison.rows.values():
        for name, named in row.intervals.items():
            ends = [end for each in named.values() for end in (each.low, each.high) if end is not None]
            assert CATALOGUE[name].unit or (min(ends) >= 0 and max(ends) <= 1)


def test_one_seed_makes_no_ensemble(runs):
    assert not compare([runs[0], runs[3]], ensembles=True).ensembles
