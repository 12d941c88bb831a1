"""Paired tests, against published values, statsmodels, scipy and enumeration."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score

from components.evaluation import blocks
from components.evaluation.catalogue import TESTED
from components.evaluation.paired import (
    Pairing,
    exchange_macro_f1,
    exchange_means,
    holm,
    mcnemar_exact,
    paired_tests,
    permutation_p_values,
    random_swaps,
)

CASES = [(6, 0, 0.03125), (7, 1, 0.0703125), (11, 5, 0.210113525390625), (66, 40, 0.01477941051703841),
         (86, 60, 0.038179441579785325), (3, 3, 1.0)]  # fmt: skip


def _answers(a_only, b_only, both=20, neither=5):
    a = np.repeat([True, False, True, False], [a_only, b_only, both, neither])
    b = np.repeat([False, True, True, False], [a_only, b_only, both, neither])
    return a, b


@pytest.mark.parametrize(("a_only", "b_only", "p"), CASES)
def test_exact_mcnemar_gives_the_reference_values(a_only, b_only, p):
    found = mcnemar_exact(*_answers(a_only, b_only))
    assert (found.a_only, found.b_only) == (a_only, b_only)
    assert found.p == pytest.approx(p, rel=1e-12)


@given(st.integers(0, 40), st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_exact_mcnemar_is_the_binomial_test(a_only, b_only):
    a, b = _answers(a_only, b_only)
    p = mcnemar_exact(a, b).p
    assert p == pytest.approx(stats.binomtest(a_only, a_only + b_only).pvalue if a_only + b_only else 1)


def test_the_permutation_of_a_mean_agrees_with_scipy():
    generator = np.random.default_rng(0)
    a, b = generator.exponential(8, 120), generator.exponential(8, 120) + 1.5
    [ours] = permutation_p_values([exchange_means(a - b)], random_swaps(120, 9999, 1))
    theirs = stats.permutation_test(
        (a, b), lambda x, y, axis: np.mean(x - y, axis=axis), permutation_type="samples", vectorized=True,
        n_resamples=9999, rng=2,
    )  # fmt: skip
    assert ours == pytest.approx(theirs.pvalue, abs=0.02)


def test_the_permutation_of_macro_f1_equals_a_loop_over_the_same_swaps():
    generator = np.random.default_rng(3)
    truth = np.repeat(np.arange(4), 30)
    a, b = (np.where(generator.random(120) < share, truth, generator.integers(0, 4, 120)) for share in (0.8, 0.7))
    swaps = np.concatenate(list(random_swaps(120, 199, 4))).astype(bool)

    def statistic(one, other):
        return f1_score(truth, one, average="macro") - f1_score(truth, other, average="macro")

    observed = abs(statistic(a, b))
    extreme = sum(abs(statistic(np.where(swap, b, a), np.where(swap, a, b))) >= observed - 1e-12 for swap in swaps)
    [found] = permutation_p_values([exchange_macro_f1(truth, a, b, 4)], random_swaps(120, 199, 4))
    assert found == pytest.approx((1 + extreme) / 200)


@pytest.mark.parametrize("block_size", [1, 1500, 2**20])
@pytest.mark.parametrize("faces", [7, 120])
def test_swaps_are_the_same_in_blocks_of_any_size(monkeypatch, block_size, faces):
    at_once = np.random.default_rng(4).integers(0, 2, (99, faces), dtype=np.int8)
    monkeypatch.setattr(blocks, "BLOCK_SIZE", block_size)
    assert (np.concatenate(list(random_swaps(faces, 99, 4))) == at_once).all()


def test_equal_networks_give_a_p_of_one(predict):
    pairings = [Pairing(metric, [predict()], [predict()]) for metric in TESTED.values()]
    assert [test.p for test in paired_tests(pairings, [0.5] * len(pairings), 199, 0)] == [1] * len(TESTED)


def test_p_values_are_uniform_or_larger_when_nothing_differs():
    generator = np.random.default_rng(5)
    differences = [exchange_means(generator.normal(size=60)) for _ in range(400)]
    found = np.array(permutation_p_values(differences, random_swaps(60, 499, 6)))
    for level in (0.05, 0.2, 0.5):
        assert (found <= level).mean() == pytest.approx(level, abs=3.5 * np.sqrt(level * (1 - level) / 400))


def test_a_better_network_is_found_better_in_every_metric(predict):
    better = predict("good", 1, age_error=4, gender_skill=0.95, signal=4)
    worse = predict("poor", 1, age_error=12, gender_skill=0.75, signal=1)
    pairings = [Pairing(metric, [better], [worse]) for metric in TESTED.values()]
    assert all(test.p <= 0.001 for test in paired_tests(pairings, [0.5] * len(pairings), 999, 0))


def test_several_seeds_are_tested_over_seeds_and_each_has_its_mcnemar(predict):
    ours, theirs = [predict("a", seed) for seed in (1, 2)], [predict("b", seed) for seed in (1, 2)]
    [found] = paired_tests([Pairing(TESTED["gender_accuracy"], ours, theirs)], [0.25], 99, 0)
    assert (found.test, found.p, list(found.by_seed)) == ("over_seeds", 0.25, ["1", "2"])
    right = [(side[1].faces["predicted_gender"] == side[1].faces["gender"]).to_numpy() for side in (ours, theirs)]
    assert found.by_seed["2"] == mcnemar_exact(*right)


@given(st.lists(st.floats(0, 1), min_size=1, max_size=20))
@settings(max_examples=15, deadline=None)
def test_holm_is_the_step_down_procedure(p_values):
    expected, running = [0.0] * len(p_values), 0.0
    for step, place in enumerate(np.argsort(p_values, kind="stable")):
        running = max(running, min(1.0, (len(p_values) - step) * p_values[place]))
        expected[place] = running
    assert holm(p_values) == pytest.approx(expected)


def test_no_pairings_are_no_tests():
    assert paired_tests([], [], 99, 0) == holm([]) == []
