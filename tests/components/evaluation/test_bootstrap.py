"""Bootstrap intervals, against a naive loop and against scipy."""

import tempfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import f1_score
from statsmodels.stats.proportion import proportion_confint

from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS
from components.evaluation import blocks
from components.evaluation.bootstrap import StoredDraws, Strata, Weighting, percentile_interval
from components.evaluation.frame import MetricFrame, score
from components.evaluation.scoring import View, common_seeds, difference, score_seeds
from components.evaluation.shares import at_least_wilson, exact_limit, paired_score_interval

SHARES = np.full(64, 1 / 64)


def _scored(predictions, resamples=200):
    observed = Weighting.observed(predictions[0])
    with Weighting.bootstrap(predictions[0], resamples, 5) as resampled:
        return score_seeds(predictions, observed, resampled, SHARES, 0.95)


def _replicates(predictions, resamples, seed, shares=SHARES):
    with Weighting.bootstrap(predictions, resamples, seed) as resampled:
        return MetricFrame.joined(resampled.score(predictions, shares))


def resample_counts(cells, resamples, seed):
    """Return how often each face counts in each resample, as stored, the faces in their own order."""
    strata = Strata.of(cells, Labels())
    with tempfile.TemporaryFile() as file:
        draws = np.concatenate(list(StoredDraws(file, strata, resamples, seed)))
    worth = np.ones(len(strata.sizes))
    for stratum in strata.strata():
        size = strata.sizes[stratum].sum()
        worth[stratum] = size / max(size - 1, 1)
    counts = np.empty(draws.shape)
    counts[:, strata.order] = draws * np.repeat(worth, strata.sizes)
    return counts


def counts_at_once(cells, resamples, seed):
    """Return the same from one call of the generator per cell."""
    generator, counts = np.random.default_rng(seed), np.ones((resamples, len(cells)))
    for cell in np.unique(cells):
        members = np.flatnonzero(cells == cell)
        size = len(members)
        if size > 1:
            draws = generator.multinomial(size - 1, np.full(size, 1 / size), resamples)
            counts[:, members] = draws * (size / (size - 1))
    return counts


@pytest.mark.parametrize("block_size", [1, 700, 2500, 2**20])
def test_draws_are_the_same_in_blocks_of_any_size(monkeypatch, block_size):
    cells = np.random.default_rng(0).permutation(np.repeat([0, 1, 5, 9], [300, 1, 7, 80]))
    monkeypatch.setattr(blocks, "BLOCK_SIZE", block_size)
    assert (resample_counts(cells, 50, 3) == counts_at_once(cells, 50, 3)).all()


@pytest.mark.parametrize("block_size", [1, 3000])
def test_replicates_are_the_same_in_blocks_of_any_size(monkeypatch, predict, block_size):
    predictions = predict(per_cell=3)
    whole = _replicates(predictions, 30, 3)
    monkeypatch.setattr(blocks, "BLOCK_SIZE", block_size)
    in_blocks = _replicates(predictions, 30, 3)
    for part in ("overall", "by_group", "natural"):
        for name, values in getattr(whole, part).items():
            np.testing.assert_allclose(getattr(in_blocks, part)[name], values, rtol=1e-13, atol=1e-13, err_msg=name)


@given(st.lists(st.integers(0, 5), min_size=1, max_size=60), st.integers(0, 9))
@settings(max_examples=40, deadline=None)
def test_each_resample_keeps_the_size_of_every_cell_with_several_faces_and_of_every_group(cells, seed):
    cells = np.array(cells) * 3  # In three groups of eight age bins each.
    counts = resample_counts(cells, 7, seed)
    several = [cell for cell in np.unique(cells) if (cells == cell).sum() > 1]
    for members in [cells == cell for cell in several] + [cells // 8 == group for group in range(3)]:
        np.testing.assert_allclose(counts[:, members].sum(axis=1), members.sum())


def test_draws_are_the_same_for_the_same_seed_and_differ_for_another():
    cells = np.repeat(np.arange(4), 10)
    assert (resample_counts(cells, 50, 1) == resample_counts(cells, 50, 1)).all()
    assert (resample_counts(cells, 50, 1) != resample_counts(cells, 50, 2)).any()


def test_draw_counts_have_the_moments_of_an_unbiased_variance():
    counts = resample_counts(np.zeros(10, int), 20_000, 0)
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.04)
    # (n / (n − 1))² · (n − 1) · (1/n) · (1 − 1/n) is 1 for every n: that of a mean's unbiased variance.
    np.testing.assert_allclose(counts.var(axis=0), 1.0, atol=0.05)


def test_faces_alone_in_their_cells_share_a_stratum_with_neighbours_in_age_of_their_group():
    # Five alone in the first group, one in the second, and a cell of two that draws as it would without them.
    cells = np.array([0, 1, 3, 4, 7, 9, 20, 20])
    counts = resample_counts(cells, 4000, 0)
    for members in ([0, 1], [2, 3, 4], [5], [6, 7]):
        np.testing.assert_allclose(counts[:, members].sum(axis=1), len(members))
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.05)
    # The variance of a mean of n is that of n - 1 draws, each counting n / (n - 1): 1 for each face, none for the last.
    np.testing.assert_allclose(counts.var(axis=0), [1, 1, 1, 1, 1, 0, 1, 1], atol=0.05)
    alone = resample_counts(np.array([20, 20]), 4000, 0)
    assert (counts[:, 6:] == alone).all()


def test_a_test_set_of_single_faces_has_intervals_as_wide_as_its_errors_spread(predict):
    row = _scored([predict(per_cell=1)], resamples=2000)
    errors = np.abs(row.first.errors(OUTPUTS["age"]))
    estimate = row.estimate("age_mae")
    assert (estimate.high - estimate.low) / 2 == pytest.approx(
        1.96 * errors.std(ddof=1) / np.sqrt(len(errors)), rel=0.2
    )


def test_every_replicate_equals_the_metric_of_the_drawn_faces(predict):
    predictions = predict(per_cell=3, priors=[0.6, 0.2, 0.03, 0.17])
    replicates = _replicates(predictions, 15, 3)
    for place, counts in enumerate(counts_at_once(predictions.cells(), 15, 3)):
        # Of three faces two are drawn, each counting 1.5: doubled, the counts are whole.
        repeats = np.rint(2 * counts).astype(int)
        drawn = predictions.faces.loc[np.repeat(np.arange(len(predictions)), repeats)].reset_index(drop=True)
        expected = score(type(predictions)(drawn, predictions.labels, "drawn", 0))
        for part, factor in (("overall", 1), ("by_group", 1), ("confusion", 2), ("confusion_by", 2)):
            assert set(getattr(expected, part)) == set(getattr(replicates, part))
            for name, values in getattr(expected, part).items():
                found = factor * getattr(replicates, part)[name][place]
                np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-12, err_msg=str(name))
        sklearn_f1 = f1_score(drawn["ethnicity"], drawn["predicted_ethnicity"], average="macro")
        assert replicates.overall["ethnicity_macro_f1"][place] == pytest.approx(sklearn_f1)


def test_the_interval_of_a_mean_agrees_with_scipy_when_there_is_one_stratum(predict):
    one_cell = Labels(genders=("All",), ethnicities=("All",), max_age=10)
    generator = np.random.default_rng(0)
    predictions = predict(per_cell=10)
    faces = predictions.faces.head(200).assign(
        age=np.int16(5), age_bin=np.int8(0), gender=np.int8(0), ethnicity=np.int8(0),
        predicted_gender=np.int8(0), predicted_ethnicity=np.int8(0),
        predicted_age=(5 + generator.exponential(6, 200)).astype(np.float32),
    )  # fmt: skip
    predictions = type(predictions)(faces, one_cell, "one", 0)
    replicates = _replicates(predictions, 9999, 1, np.ones(1))
    ours = percentile_interval(replicates.overall["age_mae"], 0.95)
    errors = (faces["predicted_age"] - 5).to_numpy(float)
    theirs = stats.bootstrap((errors,), np.mean, n_resamples=9999, method="percentile", rng=2).confidence_interval
    np.testing.assert_allclose(ours, theirs, rtol=0.02)


@pytest.mark.parametrize(("cells", "per_cell"), [(1, 160), (16, 10), (64, 3)])
def test_intervals_cover_the_truth_about_as_often_as_they_say_however_small_the_cells(cells, per_cell):
    truth, covered, faces, sets = 0.7, 0, cells * per_cell, 400
    generator = np.random.default_rng(8)
    for place in range(sets):
        right = (generator.random(faces) < truth).astype(float)
        counts = resample_counts(np.repeat(np.arange(cells), per_cell), 300, place)
        low, high = percentile_interval(counts @ right / faces, 0.95)
        covered += low <= truth <= high
    assert 0.92 <= covered / sets <= 0.98


@pytest.mark.parametrize("faces", [1, 3, 80, 160])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_the_exact_limit_is_that_of_clopper_and_pearson(faces, confidence):
    low, _ = proportion_confint(faces, faces, alpha=1 - confidence, method="beta")
    _, high = proportion_confint(0, faces, alpha=1 - confidence, method="beta")
    limit = exact_limit(np.array(float(faces)), confidence)
    assert (limit, 1 - limit) == (pytest.approx(low), pytest.approx(high))


@pytest.mark.parametrize(("faces", "gained"), [(1, 1), (3, 0), (10, 10), (80, 0), (160, 160)])
def test_the_paired_score_interval_holds_what_a_constrained_score_test_does_not_reject(faces, gained):
    """Tango's statistic with the constrained estimate found by search, not by his closed form."""
    z = stats.norm.ppf(0.975)

    def rejects(tested):
        lost_shares = np.linspace(max(0.0, -tested), (1 - tested) / 2, 20_001)
        gained_shares = lost_shares + tested
        with np.errstate(divide="ignore", invalid="ignore"):
            likelihood = gained * np.log(gained_shares) if gained else np.zeros_like(lost_shares)
            likelihood = likelihood + (faces - gained) * np.log(np.maximum(1 - lost_shares - gained_shares, 0))
        likelihood = np.where(np.isnan(likelihood), 0 if gained == faces else -np.inf, likelihood)
        best = lost_shares[np.nanargmax(likelihood)]
        spread = np.sqrt(faces * max(2 * best + tested * (1 - tested), 1e-300))
        return abs(gained - faces * tested) / spread > z

    low, high = paired_score_interval(gained / faces, faces, 0.95)
    inside, outside = low + 1e-3, low - 1e-3
    assert not rejects(inside)
    assert outside <= -1 or rejects(outside)
    assert high == 1 if gained == faces else high == pytest.approx(-low)


def test_a_recall_of_zero_or_one_is_not_certain(predict):
    predictions = predict()
    faces = predictions.faces.assign(predicted_ethnicity=np.int8(0))
    scored = _scored([type(predictions)(faces, predictions.labels, "constant", 1)])
    limit = exact_limit(np.array(float((faces["ethnicity"] == 0).sum())), 0.95)
    recall = scored.estimate("ethnicity_recall")
    np.testing.assert_array_equal(recall.value, [1, 0, 0, 0])
    np.testing.assert_allclose(recall.low, [limit, 0, 0, 0])
    np.testing.assert_allclose(recall.high, [1, *[1 - limit] * 3])
    groups = scored.estimate("ethnicity_recall", View.BY_GROUP)
    assert (groups.high - groups.low > 0).all()


def test_a_difference_is_paired_by_face(predict):
    baseline = predict("baseline", 1)
    same = type(baseline)(baseline.faces, baseline.labels, "same", 1)
    other = predict("baseline", 2)
    scored = {name: _scored([each]) for name, each in (("a", baseline), ("same", same))}
    worst = ("ethnicity_recall", View.WORST_GROUP)
    for asked in (("age_mae",), ("ethnicity_macro_f1",), ("age_error_p90",), worst):
        found = difference(scored["a"], scored["same"], *asked)
        assert (found.value, found.low, found.high) == (0, 0, 0)
    shifted = type(baseline)(
        baseline.faces.assign(predicted_age=other.faces["predicted_age"]), baseline.labels, "other", 1
    )
    found = difference(_scored([shifted]), scored["a"], "age_mae")
    assert found.low < found.value < found.high


@pytest.mark.parametrize(("right", "faces"), [(159, 160), (2, 80), (3, 10)])
def test_an_almost_saturated_share_has_at_least_wilsons_interval(right, faces):
    low, high = proportion_confint(right, faces, method="wilson")
    share = np.array(right / faces)
    assert at_least_wilson(share, faces, share, share, 0.95) == (pytest.approx(low), pytest.approx(high))
    assert at_least_wilson(np.array(0.5), 100, np.array(0.45), np.array(0.55), 0.95) == (0.45, 0.55)


def test_two_saturated_shares_differ_by_a_score_interval_not_by_nothing(predict):
    same = predict("baseline", 1)
    found = difference(*(_scored([type(same)(same.faces, same.labels, name, 1)]) for name in "ab"), "gender_accuracy")
    limit = stats.norm.ppf(0.975) ** 2 / (640 + stats.norm.ppf(0.975) ** 2)
    assert (found.value, found.low, found.high) == (0, pytest.approx(-limit), pytest.approx(limit))
    recall = difference(*(_scored([type(same)(same.faces, same.labels, name, 1)]) for name in "ab"), "ethnicity_recall")
    assert (recall.high > 0.02).all()


def test_seeds_are_averaged_within_each_resample(predict):
    networks = [predict(seed=seed) for seed in (4, 2)]
    scored = _scored(networks)
    assert scored.seeds == [2, 4]
    draws = [_replicates(network, 200, 5).overall["ethnicity_macro_f1"] for network in networks]
    np.testing.assert_allclose(scored.mean_replicates("ethnicity_macro_f1"), np.mean(draws, axis=0))
    values = [score(each).overall["ethnicity_macro_f1"] for each in networks]
    assert scored.estimate("ethnicity_macro_f1").value == pytest.approx(np.mean(values))


def test_a_difference_uses_the_common_seeds_alone(predict):
    ours = _scored([predict("ins", seed) for seed in (1, 2)])
    theirs = _scored([predict("baseline", seed) for seed in (2, 3)])
    assert common_seeds(ours, theirs) == [2]
    expected = [score(predict(name, 2)).overall["age_mae"] for name in ("ins", "baseline")]
    assert difference(ours, theirs, "age_mae").value == pytest.approx(expected[0] - expected[1])
