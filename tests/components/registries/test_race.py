"""Two promoters, each a process of its own, against one champion: one wins, and the other says so."""

import os
import subprocess
import sys

import pytest

from components.registries.registry import open_registry

ROUNDS = int(os.environ.get("EVENFACE_RACES", "5"))
"""`make torture` asks for 50."""


def start(me, place, name, vertex):
    command = [sys.executable, "-m", "tests.components.registries.racer", place, name, vertex.model_dump_json(), me]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def tell(racer, line):
    racer.stdin.write(f"{line}\n")
    racer.stdin.flush()


@pytest.mark.parametrize("kind", ["folder", "bucket", "vertex", pytest.param("mlflow", marks=pytest.mark.long)])
def test_of_two_promoters_one_wins_and_the_other_says_so(place_of, kind):
    named = place_of(kind)
    registry = open_registry(*named)
    racers = [start(me, *named) for me in ("left", "right")]
    winners = []
    try:
        for number in range(ROUNDS):
            for racer in racers:
                tell(racer, number)
            assert [racer.stdout.readline() for racer in racers] == ["ready\n"] * 2
            for racer in racers:
                tell(racer, "go")
            ends = [racer.stdout.readline().strip() for racer in racers]
            assert sorted(end.split()[0] for end in ends) == ["lost", "won"], ends
            lost, won = sorted(ends)
            won = won.removeprefix("won ")
            assert "did not become the champion, because another promotion made" in lost
            assert registry.champion().number == won
            winners.append(won)
    finally:
        for racer in racers:
            racer.stdin.close()
            racer.wait()
            racer.stdout.close()
    history = registry.history()
    assert sorted(record.version for record in history if record.decision == "promoted") == sorted(winners)
    assert [record.case for record in history if record.decision == "refused"] == ["lost the race"] * ROUNDS
    # Every version is whole, and each winner was promoted over the one before it.
    assert len(registry.versions()) == 2 * ROUNDS
    replaced = {record.version: record.previous for record in history if record.decision == "promoted"}
    assert [replaced[version] for version in winners] == [None, *winners[:-1]]
    if kind == "vertex":
        assert registry.alias() == winners[-1]
