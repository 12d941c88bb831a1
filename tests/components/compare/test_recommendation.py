"""The recommendation's rule, case by case, on hand-made rows."""

import pytest

from components.compare.contract import Differences, Interval, PairedTestFacts, Row, Scalar
from components.compare.recommendation import recommend
from components.compare.settings import RecommendationSettings

RULE = RecommendationSettings()


def _interval(value, half=0.01):
    return Interval(value=value, low=value - half, high=value + half)


def _scalar(value, by_seed):
    return Scalar(**_interval(value).model_dump(), by_seed=by_seed)


def _row(
    gain=0.0, *, kind="trained", by_seed=None, age=0.0, gender=0.0, worst_recall=0.0, worst_half=0.01, natural=0.0
):
    """A row whose macro F1 is 0.70 + gain and whose other metrics differ from the reference as given."""
    posthoc = {"derived_from": "baseline", "tau": 1.0} if kind == "posthoc" else {"derived_from": None, "tau": None}
    return Row.model_construct(
        kind=kind,
        ethnicity_macro_f1=_scalar(0.7 + gain, by_seed or {"1": 0.7 + gain, "2": 0.7 + gain}),
        class_priors={"White": 0.6},
        difference_to_reference=Differences.model_construct(
            age_mae=_interval(age),
            gender_accuracy=_interval(gender),
            ethnicity_macro_f1=_interval(gain),
            ethnicity_recall={"White": _interval(-0.2), "Black": _interval(-0.1), "Asian": _interval(0.3)},
            natural={"ethnicity_accuracy": _interval(natural)},
            worst_group={
                "age_mae": _interval(0.0),
                "gender_accuracy": _interval(0.0),
                "ethnicity_recall": _interval(worst_recall, worst_half),
            },
        ),
        **posthoc,
    )


def _reference(**facts):
    return _row(**facts).model_copy(update={"difference_to_reference": None})


def _test(name, gain, p, **changes):
    facts = {"a": name, "b": "baseline", "metric": "ethnicity_macro_f1", "difference": gain, "low": gain - 0.01,
             "high": gain + 0.01, "p_adjusted": p, "seeds": [1, 2]}  # fmt: skip
    return PairedTestFacts.model_construct(**facts | changes)


def _recommend(candidates, rule=RULE, between=(0.01, 0.05)):
    """Apply the rule to candidates given as name: (row, gain, adjusted p)."""
    rows = {"baseline": _reference()} | {name: row for name, (row, _, _) in candidates.items()}
    paired = [_test(name, gain, p) for name, (_, gain, p) in candidates.items()]
    low, high = between
    return recommend(rows, paired, "baseline", rule, lambda a, b: Interval(value=0.03, low=low, high=high))


def test_the_largest_significant_gain_wins():
    found = _recommend({"ins": (_row(0.04), 0.04, 0.01), "best": (_row(0.08), 0.08, 0.002)})
    assert (found.variant, found.model, found.deployable) == ("best", "best", True)
    for fact in ("ethnicity macro F1", "0.780", "+0.080", "0.002", "2 seeds"):
        assert fact in found.because


def test_a_gain_that_may_be_luck_leaves_the_baseline():
    found = _recommend({"ins": (_row(0.04), 0.04, 0.08), "lds": (_row(-0.01), -0.01, 1.0)})
    assert found.variant == "baseline"
    assert found.because == (
        "No variant is distinguishable from baseline in ethnicity macro F1 (smallest adjusted p = 0.08)."
    )


def test_a_significant_loss_is_never_recommended():
    found = _recommend({"lmf": (_row(-0.1), -0.1, 0.001)})
    assert found.variant == "baseline"
    assert "lmf is significantly worse" in found.because


def test_the_guard_on_the_worst_group_stops_a_winner():
    found = _recommend({"harsh": (_row(0.1, worst_recall=-0.2), 0.1, 0.001), "mild": (_row(0.03), 0.03, 0.01)})
    assert found.variant == "mild"
    harsh = next(candidate for candidate in found.candidates if candidate.variant == "harsh")
    assert [guard.metric for guard in harsh.guards if not guard.holds] == ["ethnicity_recall"]
    assert "mild has the largest gain of the rows that pass the rule in ethnicity macro F1" in found.because
    assert "harsh gained more, but ethnicity recall of the worst group is worse by 0.2" in found.because


def test_when_every_winner_fails_a_guard_the_baseline_stays_and_the_reason_is_given():
    found = _recommend({"harsh": (_row(0.1, age=3.0), 0.1, 0.001)})
    assert found.variant == "baseline"
    assert "harsh (age MAE is worse by 3, 2.99 to 3.01; margin 1)" in found.because


@pytest.mark.parametrize(
    ("evidence", "loss", "holds"),
    [
        ("significant", 0.06, True),
        ("estimate", 0.06, False),
        ("significant", 0.10, False),
        ("estimate", 0.04, True),
        ("demonstrated", 0.04, False),
        ("demonstrated", 0.01, True),
    ],
)
def test_the_evidence_decides_how_an_uncertain_loss_counts(evidence, loss, holds):
    rule = RecommendationSettings(guard_evidence=evidence)
    found = _recommend({"ins": (_row(0.1, worst_recall=-loss, worst_half=0.03), 0.1, 0.001)}, rule)
    assert (found.variant == "ins") is holds


def test_a_gain_of_one_seed_alone_is_the_seeds():
    row = _row(0.05, by_seed={"1": 0.85, "2": 0.65})
    found = _recommend({"ins": (row, 0.05, 0.001)})
    assert found.variant == "baseline"
    assert "not in each of them" in found.because
    assert _recommend({"ins": (row, 0.05, 0.001)}, RecommendationSettings(every_seed=False)).variant == "ins"


def test_a_posthoc_row_is_recommended_only_as_what_it_is():
    found = _recommend({"baseline+posthoc": (_row(0.08, kind="posthoc"), 0.08, 0.001)})
    assert (found.variant, found.model, found.deployable) == ("baseline+posthoc", "baseline", False)
    assert found.adjustment.model_dump() == {"tau": 1.0, "class_priors": {"White": 0.6}}
    assert "the saved model does not do itself" in found.because


def test_posthoc_rows_can_be_left_out():
    rule = RecommendationSettings(posthoc=False)
    found = _recommend({"baseline+posthoc": (_row(0.08, kind="posthoc"), 0.08, 0.001)}, rule)
    assert found.variant == "baseline"
    assert "the settings rule out post-hoc rows" in found.because


def test_contenders_that_cannot_be_told_apart_are_named():
    candidates = {"a": (_row(0.08), 0.08, 0.001), "b": (_row(0.07), 0.07, 0.001)}
    assert _recommend(candidates, between=(-0.02, 0.04)).indistinguishable == ["b"]
    assert _recommend(candidates, between=(0.001, 0.04)).indistinguishable == []


def test_a_trained_row_goes_before_a_posthoc_one_that_may_be_the_same():
    candidates = {"baseline+posthoc": (_row(0.08, kind="posthoc"), 0.08, 0.001), "ins": (_row(0.07), 0.07, 0.001)}
    tied = _recommend(candidates, between=(-0.02, 0.04))
    assert (tied.variant, tied.deployable, tied.indistinguishable) == ("ins", True, ["baseline+posthoc"])
    assert _recommend(candidates, between=(0.001, 0.04)).variant == "baseline+posthoc"


def test_the_reason_names_what_the_gain_costs_and_how_it_was_chosen():
    found = _recommend({"a": (_row(0.08, natural=-0.05), 0.08, 0.001), "b": (_row(0.02), 0.02, 0.5)})
    assert (
        "It costs White recall -0.200 (-0.210 to -0.190) and ethnicity accuracy in the natural population -0.050"
        in (found.because)
    )
    assert "chosen among 2 rows on these test faces" in found.because
    assert "natural population" not in _recommend({"a": (_row(0.08), 0.08, 0.001)}).because


def test_one_seed_is_said_to_be_one_network():
    rows = {"baseline": _reference(by_seed={"1": 0.7}), "ins": _row(0.08, by_seed={"1": 0.78})}
    paired = [_test("ins", 0.08, 0.001, seeds=[1])]
    found = recommend(rows, paired, "baseline", RULE, lambda a, b: _interval(0.03))
    assert found.variant == "ins"
    assert found.candidates[0].consistent_over_seeds is None
    assert "train more seeds" in found.because


def test_a_metric_where_less_is_better_wins_by_falling():
    rule = RecommendationSettings(primary_metric="age_mae")
    ages = {"baseline": 10.0, "lds": 8.0, "worse": 12.0}
    rows = {name: _row().model_copy(update={"age_mae": _scalar(age, {"1": age})}) for name, age in ages.items()}
    paired = [_test(name, value, 0.001, metric="age_mae") for name, value in (("lds", -2.0), ("worse", 2.0))]
    found = recommend(rows, paired, "baseline", rule, lambda a, b: _interval(1.0))
    assert found.variant == "lds"
    guards = {(guard.metric, guard.scope) for guard in found.rule.guards}
    assert guards >= {("ethnicity_macro_f1", "overall"), ("age_mae", "worst group")}
    assert ("age_mae", "overall") not in guards


def test_the_baseline_alone_and_the_baseline_missing_are_said():
    assert _recommend({}).because == "baseline is the only variant with results."
    found = recommend({"ins": _row(0.1)}, [], "baseline", RULE, lambda a, b: _interval(0))
    assert found.variant is None
    assert "no results" in found.because


def test_the_rule_names_its_metric_and_every_margin():
    text = _recommend({}).rule.text
    for part in ("ethnicity macro F1", "age MAE 1", "gender accuracy of the worst group 0.05", "0.05"):
        assert part in text
