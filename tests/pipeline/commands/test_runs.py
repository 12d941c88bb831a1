"""`evenface runs`: what is listed, and what goes."""

import shutil
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from components.evaluation.predictions import Predictions
from pipeline.platforms.local.lock import locked
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.run_record import Request, RunRecord


@pytest.fixture
def runs(tmp_path, monkeypatch):
    """Give the folder of three runs: one of today, one of long ago, one that was killed long ago."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "120")
    request = Request(source="faces [new].zip", preset="poc", config=None, overrides=(), runner="subprocess")
    for name, days, facts in (
        ("new", 0, {"outcome": "done", "standing": "recommended", "recommended": "lds"}),
        ("old", 40, {"outcome": "failed", "cause": "no face"}),
        ("killed", 50, {"outcome": "running"}),
    ):
        folder = RunFolder(tmp_path / "runs" / name)
        with locked(folder):
            (folder.path / "report.html").write_bytes(bytes(2_000_000))
            time = datetime.now(UTC) - timedelta(days=days)
            ended = time if facts["outcome"] != "running" else None
            RunRecord(id=name, request=request, started=time, ended=ended, fingerprint="f", **facts).write(
                folder.record
            )
    (tmp_path / "runs" / "mine").mkdir()
    return tmp_path / "runs"


def test_runs_are_listed_with_their_outcome_and_size_the_latest_first(command, runs):
    with locked(RunFolder(runs / "old")):
        shown = command("runs").out
    lines = [line.split() for line in shown.splitlines() if "runs/" in line]
    assert [line[2] for line in lines] == ["runs/new", "runs/old", "runs/killed"]
    assert [" ".join(line[5:]) for line in lines] == [
        "poc recommended: lds 2.0 MB",
        "poc running 2.0 MB",
        "poc killed 2.0 MB",
    ]
    assert "faces [new].zip" in shown
    assert "mine" not in shown
    assert command("runs", "--in", "nowhere").out.strip() == "There is no run in nowhere."


def test_old_runs_go_and_running_ones_stay(command, runs):
    with locked(RunFolder(runs / "killed")):
        planned = command("runs", "clean", "--older-than", "4w", "--dry-run").out
        assert "would go  runs/old" in planned
        assert "kept      runs/killed (it is running)" in planned
        assert (runs / "old" / "report.html").exists()
        assert "1 run, 2.0 MB" in command("runs", "clean", "--older-than", "30d").out
    assert sorted(path.name for path in runs.iterdir()) == ["killed", "mine", "new"]
    assert command("runs", "clean", "--older-than", "1h").code == 0
    assert sorted(path.name for path in runs.iterdir()) == ["mine", "new"]


def test_an_age_that_is_none_is_explained(command, runs):
    refused = command("runs", "clean", "--older-than", "month")
    assert refused.code == 2
    assert refused.sentence == "evenface: --older-than month is no age: write a number with h, d or w, such as 30d."


def test_two_runs_are_paired_on_the_console_and_in_the_page_or_said_to_be_unpaired(demo_run, command, tmp_path):
    page, folder = tmp_path / "two.html", RunFolder(tmp_path / "other")
    shutil.copytree(demo_run.folder.predictions, folder.predictions)
    shutil.copy(demo_run.folder.comparison, folder.comparison)
    same = command("runs", "compare", demo_run.folder.path, folder.path, "--output", page)
    assert same.code == 0
    assert same.out.count("+0.000 (") > 4
    assert f"Written to {page}" in same.out
    told = page.read_text()
    assert 'id="differences-table"' in told
    assert "paired face by face" in told
    for place, run in enumerate((demo_run.folder, folder), 1):
        assert f"{place}. {run.path.name}" in told
    network = Predictions.read(path := folder.predictions / "baseline" / "42.parquet")
    replace(network, faces=network.faces.iloc[1:].reset_index(drop=True)).write(path)
    other = command("runs", "compare", demo_run.folder.path, folder.path, "--output", page)
    told = page.read_text()
    for text in (other.out, told):
        assert "judged on different test faces" in text
    assert "difference" not in other.out.splitlines()[2]
    assert 'id="differences-table"' not in told
