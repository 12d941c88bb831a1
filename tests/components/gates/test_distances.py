import math

import numpy as np
import pytest
from scipy import stats

from components.gates.distances import chi_square_p, kolmogorov_smirnov_p, pool_bins, population_stability_index


def test_the_index_of_two_classes_is_its_closed_form():
    halves, quarters = np.array([500_000, 500_000]), np.array([250_000, 750_000])
    assert population_stability_index(halves, halves) == 0
    # −1/4 · ln(1/2) + 1/4 · ln(3/2), and the same the other way round.
    assert population_stability_index(halves, quarters) == pytest.approx(math.log(3) / 4, abs=1e-5)
    assert population_stability_index(quarters, halves) == pytest.approx(math.log(3) / 4, abs=1e-5)


def test_a_class_that_vanished_gives_a_large_number_and_no_infinite_one():
    assert 1 < population_stability_index(np.array([900, 100]), np.array([0, 1000])) < 20


def test_the_chi_square_test_takes_rare_classes_together_and_is_pearsons():
    # Expected are (60, 40) in each of two samples of 100: χ² = 4 · 10² / 60 / 2 …
    chi_square = 2 * (10**2 / 60 + 10**2 / 40)
    common = chi_square_p(np.array([70, 30]), np.array([50, 50]))
    assert common == pytest.approx(math.erfc(math.sqrt(chi_square / 2)))
    rare = chi_square_p(np.array([70, 28, 1, 1, 0]), np.array([50, 48, 0, 1, 1]))
    joined = chi_square_p(np.array([70, 28, 2]), np.array([50, 48, 2]))
    assert rare == pytest.approx(joined)
    assert chi_square_p(np.array([10, 0]), np.array([90, 0])) == 1


def test_the_kolmogorov_smirnov_test_of_whole_numbers_is_the_librarys():
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 50, 3000), rng.integers(2, 52, 2000)
    counts = (np.bincount(values, minlength=60) for values in (one, other))
    assert kolmogorov_smirnov_p(*counts) == pytest.approx(stats.ks_2samp(one, other, method="asymp").pvalue, rel=0.05)


def test_a_bin_with_a_tenth_of_all_stays_alone():
    assert pool_bins(np.array([0, 0, 100, 0, 0])).tolist() == [0, 0, 1, 2, 2]
    assert pool_bins(np.full(40, 5)).tolist() == [place // 4 for place in range(40)]
