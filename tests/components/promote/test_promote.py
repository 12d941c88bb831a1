"""Every case of promotion on every registry: what was decided, what was recorded, who is the champion."""

import re
import shutil
from pathlib import Path

import pytest

from components.dataset.labels import Labels
from components.digests import write_digests
from components.errors import ArtifactError, RequestError
from components.promote.promote import promote, rollback
from components.registries.registry import LostRaceError
from tests.components.promote.challengers import (
    BAD,
    GOOD,
    MIDDLING,
    RUDE,
    UNFAIR,
    make_challenger,
    score,
    settings,
)

OTHER_CLASSES = Labels(ethnicities=("White", "Black", "Asian", "Other"))


@pytest.fixture
def reign(registry, tmp_path):
    """Give a function that makes a middling model the champion, with changes to its folder."""

    def enthrone(**details):
        folder = make_challenger(tmp_path / "champion", "champion", **{**MIDDLING, **details})
        if details.get("labels"):
            return promote(registry, folder, other_score, settings())
        return promote(registry, folder, score, settings())

    return enthrone


def other_score(path):
    predictions = score(path)
    return type(predictions)(predictions.faces, OTHER_CLASSES, predictions.variant, predictions.seed)


CASES = {
    "better": (GOOD, {}, "promoted", "F1 .* against .* of version 1: the gain of \\+.* is wholly above 0"),
    "worse": (BAD, {}, "refused", "the gain of −.* is not wholly above 0"),
    "tied": (MIDDLING, {}, "refused", "is not wholly above 0"),
    "not worse": (MIDDLING, {"require": "not worse", "margin": 0.1}, "promoted", "is wholly above −0.1"),
    "worse elsewhere": (RUDE, {}, "refused", "but gender accuracy changes by −0.*can't be excluded where 0.050 is tol"),
    "below the floor": (UNFAIR, {}, "refused", "In the worst group, its gender accuracy is 0.*, below the floor of 0"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_a_challenger_is_judged_against_the_champion_and_the_decision_is_recorded(registry, reign, tmp_path, case):
    skill, policy, decision, reason = CASES[case]
    first = reign()
    assert (first.decision, first.case, first.version, first.previous) == ("promoted", "no champion", "1", None)
    challenger = make_challenger(tmp_path / "challenger", "challenger", **skill)
    before = registry.champion()
    planned = promote(registry, challenger, score, settings(**policy), dry_run=True)
    assert (planned.decision, planned.case) == (decision, case)
    assert registry.champion() == before
    assert [record.id for record in registry.history()] == [first.id]

    record = promote(registry, challenger, score, settings(**policy))
    assert (record.decision, record.case, record.previous, record.test_faces) == (decision, case, "1", 640)
    assert record.reason == planned.reason
    assert re.search(reason, record.reason), record.reason
    assert "@" in record.who
    promoted = decision == "promoted"
    assert registry.champion().number == record.version == ("2" if promoted else "1")
    assert registry.versions() == (["1", "2"] if promoted else ["1"])
    assert registry.history() == [first, record]
    primary = next(each for each in record.measurements if each.role == "primary")
    assert primary.challenger - primary.champion == pytest.approx(primary.difference, abs=2e-6)
    assert primary.low <= primary.difference <= primary.high
    registry.fetch(record.version, tmp_path / "fetched")
    kept = challenger if promoted else tmp_path / "champion"
    assert (tmp_path / "fetched" / "digests.json").read_bytes() == (kept / "digests.json").read_bytes()


def test_what_needs_no_numbers_is_decided_without_any(registry, reign, tmp_path):
    reign()
    cases = {
        "nothing to ship": {"standing": "nothing learned", "ships": False},
        "too few seeds": {"seeds": 2},
        "same model": {"name": "champion"},
    }
    for case, details in cases.items():
        folder = make_challenger(tmp_path / case, **{"name": case, **GOOD, **details})
        record = promote(registry, folder, lambda path: pytest.fail("scored"), settings())
        assert (record.decision, record.case, record.version) == ("refused", case, "1")
    indicated = make_challenger(tmp_path / "indicated", "indicated", standing="indicated", seeds=1, **GOOD)
    assert promote(registry, indicated, score, settings()).reason.startswith("ins is only indicated")
    allowed = promote(registry, indicated, score, settings(allow_indicated=True, min_seeds=1))
    assert (allowed.decision, allowed.case) == ("promoted", "better")
    assert [record.case for record in registry.history()][1:4] == list(cases)


def test_a_champion_that_cannot_be_compared_is_replaced_only_where_the_policy_says_so(registry, reign, tmp_path):
    reign(labels=OTHER_CLASSES)
    challenger = make_challenger(tmp_path / "challenger", "challenger", **GOOD)
    refused = promote(registry, challenger, score, settings())
    assert (refused.decision, refused.case) == ("refused", "other classes")
    assert "has other classes (White, Black, Asian, Other there, White, Black, Asian, Indian here)" in refused.reason
    allowed = promote(registry, challenger, score, settings(without_comparison="promote"))
    assert (allowed.decision, allowed.case, allowed.version) == ("promoted", "other classes", "2")

    broken = make_challenger(tmp_path / "broken", "broken", broken=True)
    version = registry.add(broken, allowed)
    registry.switch(allowed.model_copy(update={"id": "9", "version": version}), registry.champion())
    unreadable = promote(registry, challenger, score, settings())
    assert (unreadable.decision, unreadable.case) == ("refused", "unreadable champion")
    assert unreadable.reason == f"Version {version}, the champion, can't be read (The model does not answer)"
    replaced = promote(registry, challenger, score, settings(without_comparison="promote"))
    assert (replaced.decision, replaced.case, replaced.previous) == ("promoted", "unreadable champion", version)


def test_going_back_twice_goes_back_two_and_any_version_can_be_named(registry, tmp_path):
    for number, signal in enumerate((1.5, 2.5, 3.5), start=1):
        folder = make_challenger(tmp_path / str(number), f"model {number}", signal=signal)
        assert promote(registry, folder, score, settings()).version == str(number)
    assert rollback(registry, dry_run=True).version == "2"
    assert registry.champion().number == "3"
    back = [rollback(registry) for _ in range(2)]
    assert [(record.version, record.previous) for record in back] == [("2", "3"), ("1", "2")]
    with pytest.raises(RequestError, match="No champion is known to have come before version 1: name a version"):
        rollback(registry)
    assert rollback(registry, "3").version == registry.champion().number == "3"
    with pytest.raises(RequestError, match="has no version 7: choose one of those it has: 1, 2, 3"):
        rollback(registry, "7")
    assert [record.decision for record in registry.history()] == ["promoted"] * 3 + ["rolled back"] * 3
    assert rollback(registry).version == "2"


def test_who_comes_second_is_told_and_changes_nothing(registry, reign, tmp_path):
    reign()
    slow, fast = (make_challenger(tmp_path / name, name, **GOOD) for name in ("slow", "fast"))
    others = []

    def score_slowly(path):
        if not others:
            others.append(promote(registry, fast, score, settings()))
        return score(path)

    with pytest.raises(LostRaceError, match="did not become the champion, because another promotion made version 2"):
        promote(registry, slow, score_slowly, settings())
    assert registry.champion().number == "2"
    lost = registry.history()[-1] if registry.history()[-1].case == "lost the race" else registry.history()[-2]
    assert (lost.decision, lost.case, lost.version) == ("refused", "lost the race", "2")
    again = promote(registry, slow, score, settings())
    assert (again.decision, again.champion.version) == ("refused", "2")


def test_a_damaged_challenger_is_refused_before_anything_is_asked(registry, tmp_path):
    folder = make_challenger(tmp_path / "challenger", **GOOD)
    (folder / "variables" / "skill.json").write_text("{}")
    with pytest.raises(ArtifactError, match="skill.json was changed"):
        promote(registry, folder, score, settings())
    assert registry.champion() is None
    assert registry.versions() == []
    with pytest.raises(RequestError, match="has no champion: promote a model first"):
        rollback(registry)


def test_a_champion_whose_files_were_changed_is_not_trusted(place_of, tmp_path):
    from components.registries.registry import open_registry

    place, *rest = place_of("folder")
    registry = open_registry(place, *rest)
    promote(registry, make_challenger(tmp_path / "one", "one", **MIDDLING), score, settings())
    Path(place, "versions", "1", "variables", "skill.json").write_text('{"signal": 9}')
    record = promote(registry, make_challenger(tmp_path / "two", "two", **GOOD), score, settings())
    assert (record.decision, record.case) == ("refused", "unreadable champion")
    assert "can't be read (variables/skill.json was changed since" in record.reason
    with pytest.raises(ArtifactError, match="skill.json was changed"):
        rollback(registry, "1")
    shutil.copyfile(
        tmp_path / "one" / "variables" / "skill.json", Path(place, "versions", "1", "variables", "skill.json")
    )
    Path(place, "champion.json").write_text("{half")
    damaged = promote(registry, tmp_path / "two", score, settings())
    assert damaged.reason == f"Version unknown, the champion, can't be read ({place}/champion.json names no version)"
    assert rollback(registry, "1").version == registry.champion().number == "1"
    write_digests(tmp_path / "two")
