"""The bench itself, measured on toys."""

import json
import statistics
from functools import partial

import pytest

from tests.benchmarks import __main__ as bench
from tests.benchmarks import toys
from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import WayError, alternate
from tests.benchmarks.registry import ROWS
from tests.benchmarks.row import Row, faster, ours_at_most, share
from tests.components.pictures import encode_picture

TOYS = {
    row.name: row
    for row in (
        Row(
            "slower_pair",
            "0.1 s against 0.3 s",
            toys.compute,
            partial(toys.compute, seconds=0.3),
            bars=(faster(2.0), ours_at_most(0.01, "CPU")),
            constant="toy",
        ),
        Row("failing", "a failure", toys.fail, toys.compute, bars=(faster(1.0),)),
        Row("elsewhere", "skipped", toys.compute, toys.compute, bars=(faster(1.0),), skip=lambda: "no clone here"),
    )
}


@pytest.fixture
def few_faces(tmp_path):
    folder = tmp_path / "few"
    folder.mkdir()
    for place in range(8):
        name = f"{20 + place}_{place % 2}_{place % 4}_2017.jpg"
        (folder / name).write_bytes(encode_picture(place))
    return folder


def test_pairs_alternate_and_each_way_pays_for_itself(tmp_path):
    slow = partial(toys.compute, seconds=0.3)
    pairs = alternate(toys.compute, slow, Faces(tmp_path), pairs=3, limit_seconds=60)
    assert (tmp_path / "order.txt").read_text().split() == ["0.1", "0.3", "0.3", "0.1", "0.1", "0.3", "0.3", "0.1"]
    assert statistics.median(faster().values(pairs)) == pytest.approx(3, rel=0.3)
    assert pairs[0].ours.cpu_per_unit == pytest.approx(0.05, rel=0.3)


def test_memory_is_that_of_the_turn_not_of_the_process_that_started_it(tmp_path):
    ballast = bytearray(1) * 400_000_000
    ways = (partial(toys.hold, megabytes=100), partial(toys.hold, megabytes=1))
    pairs = alternate(*ways, Faces(tmp_path), pairs=1, warm_up=0, fresh=True, limit_seconds=60)
    assert len(ballast) == 400_000_000
    assert pairs[0].ours.peak_megabytes - pairs[0].other.peak_megabytes == pytest.approx(99, abs=10)
    assert pairs[0].other.peak_megabytes < 300
    assert not share(1.1, by="memory").holds(pairs)


@pytest.mark.parametrize(
    ("way", "message"),
    [(toys.fail, "ValueError: the disk is full"), (toys.leave, "before its turns were over"), (toys.refuse, "no disk")],
)
def test_a_way_that_fails_or_ends_early_is_named(tmp_path, way, message):
    with pytest.raises(WayError, match=message):
        alternate(toys.compute, way, Faces(tmp_path), pairs=2, limit_seconds=60)


def test_a_bench_prints_its_table_and_writes_the_same_facts(few_faces, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(bench, "ROWS", TOYS)
    output = tmp_path / "bench.json"
    assert bench.main(["--source", str(few_faces), "--output", str(output)]) == 1
    printed, facts = capsys.readouterr().out, json.loads(output.read_text())
    measured, failed, skipped = facts["rows"]
    assert [bar["holds"] for bar in measured["bars"]] == [True, False]
    assert (measured["bars"][0]["low"], len(measured["pairs"])) > (1, 2)
    assert failed["problem"] == "ValueError: the disk is full"
    assert (skipped["problem"], skipped["holds"]) == ("no clone here", True)
    assert facts["constants"]["toy"]["cpu_seconds"] == pytest.approx(0.05, rel=0.3)
    assert {"cores", "commit", "load_before", "load_after", "versions", "date"} <= facts["machine"].keys()
    for text in (
        "≥ 2.00 ×",
        "2 of 3 rows miss a bar: slower_pair, failing",
        "no clone here",
        facts["machine"]["commit"],
    ):
        assert text in printed


def test_an_unknown_row_is_refused_with_the_nearest_name(capsys):
    assert bench.main(["warm_epok"]) == 2
    assert "no row 'warm_epok' (did you mean 'warm_epoch'?)" in capsys.readouterr().err


def test_the_list_names_every_row(capsys):
    assert bench.main(["--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(ROWS)
