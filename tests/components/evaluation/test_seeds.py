"""The seed as a random effect: against closed forms, and by the coverage that it is for."""

import numpy as np
import pytest
from scipy import integrate, stats

from components.evaluation.seeds import SeedSpread


def _spread(by_seed, replicates):
    """Return the spread of a mean; ``by_seed`` has the axis of seeds first, ``replicates`` the second."""
    seeds = list(range(len(by_seed)))
    return SeedSpread.of(lambda kept: by_seed[kept].mean(axis=0), lambda kept: replicates[:, kept].mean(axis=1), seeds)


def test_without_noise_of_the_faces_the_variance_is_that_of_a_mean():
    values = np.random.default_rng(0).normal(size=(5, 3))
    found = _spread(values, np.repeat(values[None], 20, axis=0))
    np.testing.assert_allclose(found.variance, values.var(axis=0, ddof=1) / 5)
    assert (found.degrees == 4).all()


def test_what_the_faces_explain_is_not_counted_twice():
    generator = np.random.default_rng(1)
    disagreement = generator.normal(0, 1, (2000, 4))
    same = _spread(np.zeros(4), disagreement)
    assert (float(same.variance), float(same.degrees)) == (0, np.inf)
    found = [
        float(_spread(seeds + faces, seeds + faces + generator.normal(0, 1, (400, 4))).variance)
        for seeds, faces in zip(generator.normal(0, 2, (500, 4)), generator.normal(0, 1, (500, 4)), strict=True)
    ]
    assert np.mean(found) == pytest.approx(2**2 / 4, rel=0.12)


def test_one_seed_widens_nothing():
    replicates = np.random.default_rng(2).normal(size=(50, 1))
    spread = _spread(np.array([0.5]), replicates)
    assert (spread.widen(replicates[:, 0]) == replicates[:, 0]).all()


def test_independent_spreads_add_up_with_welchs_degrees():
    found = SeedSpread(np.array(4.0), np.array(2.0)) + SeedSpread(np.array(1.0), np.array(2.0))
    assert (float(found.variance), float(found.degrees)) == (5.0, pytest.approx(25 / (16 / 2 + 1 / 2)))
    nothing = SeedSpread(np.array(0.0), np.array(np.inf))
    assert float((nothing + nothing).degrees) == np.inf


def test_widened_replicates_have_students_quantiles():
    spread = SeedSpread(np.array([4.0, 0.0]), np.array([3.0, np.inf]))
    widened = spread.widen(np.zeros((1999, 2)))
    np.testing.assert_allclose(
        np.quantile(widened[:, 0], (0.025, 0.975)), 2 * stats.t.ppf((0.025, 0.975), 3), rtol=0.02
    )
    assert (widened[:, 1] == 0).all()


@pytest.mark.parametrize(("faces", "seeds", "degrees", "difference"),
                         [(1, 1, 2, 2), (1, 0.1, 2, 2), (1, 0.02, 4, 3), (0.1, 1, 2, -8)])  # fmt: skip
def test_the_p_value_is_the_tail_of_a_normal_plus_a_students_error(faces, seeds, degrees, difference):
    spread = SeedSpread(np.array(seeds**2), np.array(degrees))
    size = abs(difference)
    tail, _ = integrate.quad(
        lambda z: stats.norm.pdf(z) * stats.t.sf((size - faces * z) / seeds, degrees), -12, 12, points=[size / faces],
        limit=2000,
    )  # fmt: skip
    found = spread.p_value(difference, np.array([-faces, faces]) / np.sqrt(2))
    assert found == pytest.approx(2 * tail, rel=1e-4)


def test_without_any_error_only_a_difference_of_nothing_is_likely():
    spread = SeedSpread(np.array(0.0), np.array(np.inf))
    assert spread.p_value(0.0, np.zeros(5)) == 1
    assert spread.p_value(0.1, np.zeros(5)) == 0
    assert spread.p_value(np.nan, np.zeros(5)) == 1


@pytest.mark.parametrize("seed_deviation", [0.0, 1.0, 3.0])
def test_intervals_of_three_seeds_cover_other_seeds_and_other_faces(seed_deviation):
    """Two rows of three networks each: value = seed + disagreement about the faces + faces, all normal."""
    generator, covered, rejected, sets = np.random.default_rng(3), 0, 0, 500
    for _ in range(sets):
        rows = generator.normal(0, seed_deviation, (2, 3)) + generator.normal(0, 1, (2, 3))
        common = generator.normal(0, 1)
        noise = generator.normal(0, 1, (2, 400, 3))
        ours, theirs = (_spread(row, row + each) for row, each in zip(rows, noise, strict=True))
        difference = rows[0].mean() - rows[1].mean() + common
        replicates = difference + (noise[0] - noise[1]).mean(axis=1) + generator.normal(0, 1, 400)
        low, high = np.quantile((ours + theirs).widen(replicates), (0.025, 0.975))
        covered += low <= 0 <= high
        rejected += (ours + theirs).p_value(difference, replicates) <= 0.05
    assert 0.93 <= covered / sets <= 0.99
    assert rejected / sets <= 0.07
