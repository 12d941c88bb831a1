"""The recommendation's rule, case by case, on hand-made rows."""

import pytest

from components.compare.contract import Adjustment, Differences, Interval, PairedTestFacts, Row, Scalar
from components.compare.grounds import Grounds
from components.compare.recommendation import find_dominators, median_seed, recommend
from components.compare.settings import RecommendationSettings
from components.dataset.outputs import OUTPUTS
from components.evaluation.catalogue import MAIN, Better

RULE = RecommendationSettings(min_seeds=2)
ON_TEST = RecommendationSettings(min_seeds=2, chosen_on="test", guard_evidence="estimate")


def _interval(value, half=0.01):
    return Interval(value=value, low=value - half, high=value + half)


def _scalar(value, by_seed):
    return Scalar(**_interval(value).model_dump(), by_seed=by_seed)


def _row(
    gain=0.0,
    *,
    kind="trained",
    by_seed=None,
    age=0.0,
    gender=0.0,
    worst_recall=0.0,
    worst_half=0.01,
    natural=0.0,
    learned=True,
):
    """A row whose macro F1 is 0.70 + gain and whose other metrics differ from the reference as given."""
    by_seed = by_seed or {"1": 0.7 + gain, "2": 0.7 + gain}
    posthoc = {"derived_from": "baseline", "tau": 1.0, "temperature": 1.5} if kind == "posthoc" else {"tau": None}
    adjustments = {
        seed: Adjustment(tau=1.0, temperature=1 + int(seed) / 10, class_priors={"White": 0.6}) for seed in by_seed
    }
    return Row.model_construct(
        kind=kind,
        seeds=[int(seed) for seed in by_seed],
        age_mae=_scalar(10 + age, {}),
        gender_accuracy=_scalar(0.8 + gender, {}),
        ethnicity_macro_f1=_scalar(0.7 + gain, by_seed),
        learned=dict.fromkeys(OUTPUTS, learned),
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
        adjustments=adjustments if kind == "posthoc" else {},
        **{"derived_from": None, **posthoc},
    )


def _reference(**facts):
    return _row(**facts).model_copy(update={"difference_to_reference": None})


def _test(name, gain, p, **changes):
    facts = {"a": name, "b": "baseline", "metric": "ethnicity_macro_f1", "difference": gain, "low": gain - 0.01,
             "high": gain + 0.01, "p": p / 4, "p_adjusted": p, "seeds": [1, 2]}  # fmt: skip
    return PairedTestFacts.model_construct(**facts | changes)


def _grounds(gains, utilities=None, *, between=(0.01, 0.05), losses=None, faces=640):
    """What some faces say; ``between`` is the interval of every difference between two rows."""
    low, high = between
    gains = {"baseline": 0.0, **gains}
    return Grounds(
        faces=faces,
        effective_faces=faces / 2,
        scores={name: {1: 0.7 + gain, 2: 0.8 + gain} for name, gain in gains.items()},
        gains=gains,
        utilities={name: _interval((utilities or gains).get(name, 0.0)) for name in gains},
        losses={
            name: {metric: _interval((losses or {}).get(name, {}).get(metric, 0.0)) for metric in MAIN}
            for name in gains
        },
        between=lambda first, second: Interval(value=0.03, low=low, high=high),
    )


def _recommend(candidates, rule=RULE, between=(0.01, 0.05), *, reference=None, validation=None, seeds=(1, 2)):
    """Apply the rule to candidates given as name: (row, gain, adjusted p)."""
    rows = {"baseline": reference or _reference()} | {name: row for name, (row, _, _) in candidates.items()}
    paired = [_test(name, gain, p, seeds=list(seeds)) for name, (_, gain, p) in candidates.items()]
    tested = _grounds({name: gain for name, (_, gain, _) in candidates.items()}, between=between)
    return recommend(rows, paired, "baseline", rule, validation=validation or tested, tested=tested)


def test_the_largest_gain_on_validation_is_judged_on_the_test_set():
    candidates = {"ins": (_row(0.09), 0.09, 0.01), "best": (_row(0.08), 0.08, 0.08)}
    found = _recommend(candidates, validation=_grounds({"ins": 0.04, "best": 0.10}))
    assert (found.variant, found.standing, found.model, found.seed) == ("best", "recommended", "best", 1)
    # Two rows could be chosen, so its own p-value of 0.02 counts twice; 0.08 is adjusted for all tests of the report.
    for fact in ("judged on the test set", "ethnicity macro F1 0.780", "+0.080", "adjusted p = 0.04", "2 seeds"):
        assert fact in found.because
    assert [candidate.variant for candidate in found.candidates if candidate.eligible] == ["best"]


def test_a_choice_that_the_test_set_does_not_confirm_leaves_the_baseline():
    candidates = {"lucky": (_row(0.02), 0.02, 0.8), "ins": (_row(0.09), 0.09, 0.01)}
    found = _recommend(candidates, validation=_grounds({"lucky": 0.10, "ins": 0.04}))
    assert (found.variant, found.standing) == ("baseline", "kept")
    assert "lucky was chosen on the validation faces, but its gain" in found.because
    assert "is not significant (+0.020, adjusted p = 0.4)" in found.because


def test_ties_in_the_primary_metric_are_broken_by_what_all_outputs_are_worth():
    candidates = {"posthoc": (_row(0.06), 0.06, 0.001), "cells": (_row(0.05, age=-2.0), 0.05, 0.001)}
    validation = _grounds({"posthoc": 0.06, "cells": 0.045}, {"posthoc": 0.06, "cells": 0.09}, between=(-0.02, 0.05))
    found = _recommend(candidates, validation=validation)
    assert found.variant == "cells"
    assert found.choice.tied == ["cells", "posthoc", "baseline"]
    assert "can't be told apart from posthoc, baseline there; over all outputs it is worth more" in found.because
    told_apart = _grounds({"posthoc": 0.06, "cells": 0.045}, {"posthoc": 0.06, "cells": 0.09})
    assert _recommend(candidates, validation=told_apart).variant == "posthoc"


def test_a_row_that_breaks_a_guard_on_validation_is_not_chosen():
    candidates = {"harsh": (_row(0.1), 0.1, 0.001), "mild": (_row(0.05), 0.05, 0.001)}
    validation = _grounds({"harsh": 0.1, "mild": 0.05}, losses={"harsh": {"age_mae": 3.0}})
    assert _recommend(candidates, validation=validation).variant == "mild"


def test_after_a_row_that_gains_but_is_not_safe_comes_the_next_and_after_one_that_does_not_gain_none():
    candidates = {
        "harsh": (_row(0.1, worst_recall=-0.2), 0.1, 0.01),
        "mild": (_row(0.05), 0.05, 0.02),
        "idle": (_row(0.01), 0.01, 0.9),
    }
    order = {"harsh": 0.3, "mild": 0.2, "idle": 0.1}
    tied = _grounds(order, between=(-0.1, 0.1))
    found = _recommend(candidates, validation=tied)
    assert found.variant == "mild"
    assert [candidate.variant for candidate in found.candidates if candidate.chosen] == ["harsh", "mild"]
    stopped = _recommend(candidates, validation=_grounds({**order, "idle": 0.4}, between=(-0.1, 0.1)))
    assert (stopped.variant, stopped.standing) == ("baseline", "kept")
    assert [candidate.variant for candidate in stopped.candidates if candidate.chosen] == ["idle"]


def test_nothing_more_useful_on_validation_keeps_the_baseline():
    found = _recommend({"ins": (_row(0.1), 0.1, 0.001)}, validation=_grounds({"ins": -0.02}))
    assert (found.variant, found.standing) == ("baseline", "kept")
    assert "no variant that may be chosen is more useful" in found.because


@pytest.mark.parametrize(("minimum", "standing"), [(1, "recommended"), (2, "recommended"), (3, "indicated")])
def test_fewer_seeds_than_the_rule_asks_for_are_an_indication(minimum, standing):
    found = _recommend({"ins": (_row(0.08), 0.08, 0.001)}, RecommendationSettings(min_seeds=minimum))
    assert (found.variant, found.standing) == ("ins", standing)
    assert ("It is indicated, not recommended: 2 seeds" in found.because) is (standing == "indicated")


def test_where_no_network_beats_the_constant_predictor_nothing_is_recommended():
    found = _recommend({"ins": (_row(0.08, learned=False), 0.08, 0.001)}, reference=_reference(learned=False))
    assert (found.variant, found.standing) == (None, "nothing learned")
    assert found.because.startswith("Nothing was learned")
    assert _recommend({"ins": (_row(0.08, learned=False), 0.08, 0.001)}).variant == "baseline"


def test_dominated_rows_are_named_and_the_others_are_the_frontier():
    rows = {"baseline": _reference(), "young": _row(-0.1, age=-2), "best": _row(0.1, age=-1), "poor": _row(0.05, age=1)}
    assert find_dominators(rows) == {"baseline": "best", "young": None, "best": None, "poor": "best"}
    found = _recommend({name: (row, 0.05, 0.01) for name, row in rows.items() if name != "baseline"})
    assert found.frontier == ["young", "best"]
    assert {candidate.variant: candidate.dominated_by for candidate in found.candidates}["poor"] == "best"


def test_the_cost_in_the_natural_population_stands_beside_the_verdict():
    found = _recommend({"a": (_row(0.08, natural=-0.05), 0.08, 0.001)})
    assert "It costs White recall -0.200 (-0.210 to -0.190)." in found.because
    assert "In the natural population its ethnicity accuracy changes by -0.050 (-0.060 to -0.040)." in found.because
    assert found.natural.value == -0.05


def test_on_the_test_set_the_largest_significant_gain_wins():
    found = _recommend({"ins": (_row(0.04), 0.04, 0.01), "best": (_row(0.08), 0.08, 0.002)}, ON_TEST)
    assert (found.variant, found.choice.on) == ("best", "test")
    for fact in ("Chosen among 2 rows on the test set itself", "0.780", "adjusted p = 0.002", "optimistic"):
        assert fact in found.because


def test_on_the_test_set_a_gain_that_may_be_luck_leaves_the_baseline():
    found = _recommend({"ins": (_row(0.04), 0.04, 0.08), "lds": (_row(-0.01), -0.01, 1.0)}, ON_TEST)
    assert found.variant == "baseline"
    assert found.because == (
        "No variant is distinguishable from baseline in ethnicity macro F1 (smallest adjusted p = 0.08)."
    )


def test_on_the_test_set_a_significant_loss_is_never_recommended():
    found = _recommend({"lmf": (_row(-0.1), -0.1, 0.001)}, ON_TEST)
    assert found.variant == "baseline"
    assert "lmf is significantly worse" in found.because


def test_on_the_test_set_the_guard_on_the_worst_group_stops_a_winner():
    harsh, mild = (_row(0.1, worst_recall=-0.2), 0.1, 0.001), (_row(0.03), 0.03, 0.01)
    found = _recommend({"harsh": harsh, "mild": mild}, ON_TEST)
    assert found.variant == "mild"
    judged = next(candidate for candidate in found.candidates if candidate.variant == "harsh")
    assert [guard.metric for guard in judged.guards if not guard.holds] == ["ethnicity_recall"]
    assert "harsh gained too, but ethnicity recall of the worst group is worse by 0.2" in found.because


@pytest.mark.parametrize("rule", [RULE, ON_TEST])
def test_when_a_winner_fails_a_guard_the_baseline_stays_and_the_reason_is_given(rule):
    found = _recommend({"harsh": (_row(0.1, age=3.0), 0.1, 0.001)}, rule)
    assert found.variant == "baseline"
    assert "age MAE is worse by 3, 2.99 to 3.01; margin 1" in found.because


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
    rule = RecommendationSettings(min_seeds=2, guard_evidence=evidence)
    found = _recommend({"ins": (_row(0.1, worst_recall=-loss, worst_half=0.03), 0.1, 0.001)}, rule)
    assert (found.variant == "ins") is holds


@pytest.mark.parametrize(("rule", "reason"), [(RULE, "not there in every seed"), (ON_TEST, "not in each of them")])
def test_a_gain_of_one_seed_alone_is_the_seeds(rule, reason):
    row = _row(0.05, by_seed={"1": 0.85, "2": 0.65})
    found = _recommend({"ins": (row, 0.05, 0.001)}, rule)
    assert found.variant == "baseline"
    assert reason in found.because
    anyway = rule.model_copy(update={"every_seed": False})
    assert _recommend({"ins": (row, 0.05, 0.001)}, anyway).variant == "ins"


def test_a_posthoc_row_is_recommended_only_as_what_it_is():
    found = _recommend({"baseline+posthoc": (_row(0.08, kind="posthoc"), 0.08, 0.001)})
    assert (found.variant, found.model, found.seed) == ("baseline+posthoc", "baseline", 1)
    # Each seed has its own; this one's is the one that the shipped network needs.
    assert found.adjustment.model_dump() == {"tau": 1.0, "temperature": 1.1, "class_priors": {"White": 0.6}}


@pytest.mark.parametrize(
    ("scores", "better", "seed"),
    [
        ({7: 0.5}, Better.HIGHER, 7),
        ({1: 0.9, 2: 0.5, 3: 0.7}, Better.HIGHER, 3),
        ({1: 0.9, 2: 0.5, 3: 0.7, 4: 0.6}, Better.HIGHER, 4),
        ({1: 9.0, 2: 5.0, 3: 7.0, 4: 6.0}, Better.LOWER, 3),
        ({1: 0.6, 2: None, 3: 0.7}, Better.HIGHER, 1),
        ({1: 0.6, 2: 0.6}, Better.HIGHER, 2),
    ],
)
def test_the_network_to_ship_is_the_median_and_of_two_the_worse(scores, better, seed):
    assert median_seed(scores, better) == seed


@pytest.mark.parametrize("rule", [RULE, ON_TEST])
def test_posthoc_rows_can_be_left_out(rule):
    rule = rule.model_copy(update={"posthoc": False})
    found = _recommend({"baseline+posthoc": (_row(0.08, kind="posthoc"), 0.08, 0.001)}, rule)
    assert found.variant == "baseline"


def test_contenders_that_cannot_be_told_apart_are_named():
    candidates = {"a": (_row(0.08), 0.08, 0.001), "b": (_row(0.07), 0.07, 0.001)}
    assert _recommend(candidates, ON_TEST, between=(-0.02, 0.04)).indistinguishable == ["b"]
    assert _recommend(candidates, ON_TEST, between=(0.001, 0.04)).indistinguishable == []


def test_one_seed_is_said_to_be_one_network():
    row, reference = _row(0.08, by_seed={"1": 0.78}), _reference(by_seed={"1": 0.7})
    found = _recommend({"ins": (row, 0.08, 0.001)}, RecommendationSettings(), reference=reference, seeds=[1])
    assert (found.variant, found.standing) == ("ins", "indicated")
    assert found.candidates[0].consistent_over_seeds is None
    assert "1 seed can't tell the cure's gain from the seed's" in found.because


def test_a_metric_where_less_is_better_wins_by_falling():
    rule = RecommendationSettings(min_seeds=1, chosen_on="test", primary_metric="age_mae")
    ages = {"baseline": 10.0, "lds": 8.0, "worse": 12.0}
    rows = {name: _row().model_copy(update={"age_mae": _scalar(age, {"1": age})}) for name, age in ages.items()}
    paired = [_test(name, value, 0.001, metric="age_mae") for name, value in (("lds", -2.0), ("worse", 2.0))]
    grounds = _grounds({"lds": 2.0, "worse": -2.0})
    found = recommend(rows, paired, "baseline", rule, validation=grounds, tested=grounds)
    assert found.variant == "lds"
    guards = {(guard.metric, guard.scope) for guard in found.rule.guards}
    assert guards >= {("ethnicity_macro_f1", "overall"), ("age_mae", "worst group")}
    assert ("age_mae", "overall") not in guards


def test_the_baseline_alone_and_the_baseline_missing_are_said():
    assert _recommend({}).because == "baseline is the only variant with results."
    found = recommend({"ins": _row(0.1)}, [], "baseline", RULE, validation=None, tested=None)
    assert (found.variant, found.standing) == (None, "no reference")
    assert "no results" in found.because


@pytest.mark.parametrize("rule", [RULE, ON_TEST])
def test_the_rule_names_its_metric_every_margin_and_every_worth(rule):
    text = _recommend({}, rule).rule.text
    for part in ("ethnicity macro F1", "age MAE 1", "gender accuracy of the worst group 0.05", "0.05",
                 "0.02 for each 1.0 less of age MAE", "1 for each 1.0 more of gender accuracy"):  # fmt: skip
        assert part in text
