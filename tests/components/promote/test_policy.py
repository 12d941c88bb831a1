"""The decision by itself: what holds, what does not, on numbers given by hand."""

import pytest

from components.dataset.labels import Labels
from components.promote.policy import Incumbent, judge, screen
from components.promote.settings import PromotionPolicy
from components.recommend.contract import RecommendedModel
from components.registries.contract import Measurement
from tests.components.promote.challengers import make_challenger


@pytest.fixture
def verdict(tmp_path):
    """Give a function from the ends of the primary gain, and other numbers, to the verdict."""
    model = RecommendedModel.read(make_challenger(tmp_path / "model"))

    def decide(low, high, *others, p=0.001, metric="ethnicity_macro_f1", **policy):
        value = (low + high) / 2
        primary = Measurement(
            metric=metric, scope="overall", challenger=0.6 + value, champion=0.6, difference=value, low=low,
            high=high, p=p,
        )  # fmt: skip
        return judge(model, Incumbent("3", model), [primary, *others], PromotionPolicy(primary_metric=metric, **policy))

    return decide


def change(metric, low, high, scope="overall", challenger=0.8):
    return Measurement(
        metric=metric, scope=scope, challenger=challenger, champion=0.8, difference=(low + high) / 2, low=low, high=high
    )  # fmt: skip


@pytest.mark.parametrize(
    ("low", "high", "policy", "case"),
    [
        (0.001, 0.05, {}, "better"),
        (0.0, 0.05, {}, "tied"),
        (0.009, 0.05, {"margin": 0.01}, "tied"),
        (0.011, 0.05, {"margin": 0.01}, "better"),
        (-0.05, -0.001, {}, "worse"),
        (-0.01, 0.05, {"require": "not worse", "margin": 0.01}, "not worse"),
        (-0.011, 0.05, {"require": "not worse", "margin": 0.01}, "tied"),
        (-0.011, -0.001, {"require": "not worse", "margin": 0.01}, "worse"),
    ],
)
def test_the_whole_interval_of_the_gain_decides(verdict, low, high, policy, case):
    assert verdict(low, high, **policy).case == case


def test_an_interval_without_width_is_no_evidence_by_itself(verdict):
    """Where every cell of the test set has one face, no resample differs: only the test knows of chance."""
    told = verdict(0.02, 0.02, p=0.2)
    assert (told.promote, told.case) == (False, "tied")
    assert told.reason.endswith("is wholly above 0, p = 0.2")


def test_a_lower_error_is_a_gain(verdict):
    assert verdict(-2.0, -0.5, metric="age_mae").case == "better"
    assert verdict(0.5, 2.0, metric="age_mae").case == "worse"


@pytest.mark.parametrize(
    ("other", "case"),
    [
        (change("gender_accuracy", -0.05, 0.01), "better"),
        (change("gender_accuracy", -0.051, 0.1), "worse elsewhere"),
        (change("age_mae", -3, 1.5), "better"),
        (change("age_mae", -3, 1.51), "worse elsewhere"),
        (change("gender_accuracy", -0.9, -0.3, "worst group", challenger=0.5), "better"),
        (change("gender_accuracy", 0, 0.1, "worst group", challenger=0.49), "below the floor"),
        (change("ethnicity_recall", 0, 0.1, "worst group", challenger=None), "below the floor"),
        (change("age_mae", 0, 1, "worst group", challenger=70), "better"),
    ],
)
def test_what_is_lost_elsewhere_and_what_the_worst_group_gets_can_forbid_it(verdict, other, case):
    told = verdict(0.01, 0.05, other)
    assert (told.promote, told.case) == (case == "better", case)


def test_a_ceiling_on_the_worst_groups_age_error_is_a_setting(verdict):
    group = change("age_mae", 0, 1, "worst group", challenger=21.0)
    told = verdict(0.01, 0.05, group, floor={"age_mae": 20})
    assert told.reason == "In the worst group, its age MAE is 21.00 years, above the ceiling of 20.00 years"


def test_a_champion_with_other_outputs_is_not_compared_and_the_outputs_of_both_are_named(tmp_path):
    challenger = RecommendedModel.read(make_challenger(tmp_path / "challenger"))
    genderless = Labels(output_names=("age", "ethnicity"))
    champion = RecommendedModel.read(make_challenger(tmp_path / "champion", "champion", labels=genderless))
    found = screen(challenger, Incumbent("3", champion), PromotionPolicy())
    assert (found.promote, found.case) == (False, "other classes")
    assert "has other outputs (age, ethnicity there, age, gender, ethnicity here)" in found.reason
