"""Runs that end before their time: real processes and real signals."""

import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path

import pytest

from components.files import read_json
from components.sources.source import FolderSource
from components.sources.synthetic import generate
from components.sources.synthetic_settings import SyntheticSettings
from pipeline.platforms.local.lock import locked
from pipeline.platforms.local.run_folder import RunFolder

STAGES = """
import sys, threading
from pipeline.platforms.local.stage_process import StageProcesses
processes = StageProcesses()
stubborn = "trap '' TERM; sleep 600 & sleep 601"
with processes.guarded():
    for script in ("sleep 602 & sleep 603", stubborn):
        threading.Thread(target=processes.run, args=(["sh", "-c", script],), daemon=True).start()
    sys.stdin.read()
"""


class Family:
    """A command and all that it starts, known by a variable that children inherit."""

    def __init__(self, command, project, **environment):
        self.mark = f"EVENFACE_TEST={uuid.uuid4().hex}".encode()
        name, value = self.mark.decode().split("=")
        self.process = subprocess.Popen(
            [sys.executable, *command],
            cwd=project,
            env={**os.environ, name: value, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def members(self):
        """Return the command lines of those that live."""
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if self.mark in process.joinpath("environ").read_bytes().split(b"\0"):
                    found.append(process.joinpath("cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:
                continue
        return [line for line in found if line]  # A process that nobody waited for has none.

    def await_member(self, *texts):
        while not all(any(text in line for line in self.members()) for text in texts):
            assert self.process.poll() is None, self.process.communicate()
            time.sleep(0.05)

    def end(self, number):
        """Send a signal; return the seconds until nobody of the family lives."""
        started = time.monotonic()
        self.process.send_signal(number)
        self.out, self.err = self.process.communicate()
        while self.members():
            time.sleep(0.05)
        return time.monotonic() - started


def test_stages_and_what_they_started_end_with_a_run_that_is_killed(project):
    family = Family(["-c", STAGES], project)
    family.await_member("sleep 600", "sleep 601", "sleep 602", "sleep 603")
    # The test ends only when all have; a stage that does not want to is given three seconds.
    assert family.end(signal.SIGKILL) < 600


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGKILL, -9)])
def test_an_interrupted_run_says_one_line_and_leaves_nothing(project, tmp_path, number, code, run_cli):
    (tmp_path / "tmp").mkdir()
    folder = RunFolder(tmp_path / "run")
    arguments = ["run", "--output", str(folder.path), "--set", "preprocess.synthetic.faces=30000"]
    family = Family(["-m", "pipeline", *arguments], project, TMPDIR=str(tmp_path / "tmp"))
    family.await_member("executor_main")
    family.end(number)
    assert family.process.returncode == code
    record = read_json(folder.record)
    assert record["request"]["overrides"] == ["preprocess.synthetic.faces=30000"]
    if number == signal.SIGKILL:
        assert record["outcome"] == "running"
        # The next run in the folder, which fails early, takes away what the killed one could not.
        assert list((tmp_path / "tmp").iterdir())
        arguments[-1] = "preprocess.synthetic.faces=400"
        again = run_cli(*arguments, "--set", "preprocess.max_reject_fraction=0", TMPDIR=str(tmp_path / "tmp"))
        assert again.returncode == 1
        assert "Removed leftovers of earlier runs" in again.stdout
        assert read_json(folder.record)["outcome"] == "failed"
        assert [stage["outcome"] for stage in read_json(folder.record)["stages"]] == ["failed"]
        assert "Stage preprocess failed: " in read_json(folder.record)["cause"]
        assert "raise preprocess.max_reject_fraction" in again.stderr
    else:
        sentence = f"evenface: interrupted by {number.name}: run the same command again"
        assert family.err.strip() == f"{sentence}, and finished stages are not repeated."
        assert "30,490 files; expect " in family.out
        assert len(family.out.splitlines()) == 1
        assert record["outcome"] == "interrupted"
    assert not list((tmp_path / "tmp").iterdir())


def test_a_second_run_in_a_folder_says_who_holds_it(command, tmp_path):
    folder = RunFolder(tmp_path / "run")
    with locked(folder):
        refused = command("run", "--output", folder.path)
    assert refused.code == 2
    assert refused.err.strip() == refused.sentence
    assert f"Another run uses {folder.path} (process {os.getpid()}, since 20" in refused.sentence
    assert refused.sentence.endswith(": wait until it ends, or pass --output another folder.")
    assert not folder.log.exists()
    with locked(folder):
        """The lock is free again."""


@pytest.mark.parametrize(("parts", "stage"), [(1, "preprocess"), (2, "merge_parts")])
def test_a_source_that_changes_after_the_run_began_fails_it_and_is_cached_by_nobody(
    command, tmp_path, monkeypatch, parts, stage
):
    faces, folder = tmp_path / "faces", RunFolder(tmp_path / "run")
    faces.mkdir()
    for name, content in generate(SyntheticSettings(faces=20, image_side=16, smallest_cell=0, broken_files=0)):
        (faces / name).write_bytes(content)
    original = FolderSource.fingerprint

    def fingerprint_and_change(source, *arguments):
        fingerprint = original(source, *arguments)
        next(faces.iterdir()).unlink()
        return fingerprint

    monkeypatch.setattr(FolderSource, "fingerprint", fingerprint_and_change)
    settings = ("preprocess.min_side=16", f"preprocess.parts={parts}", "build_test_set.allow_shortfall=true")
    options = [option for setting in settings for option in ("--set", setting)]
    failed = command("run", "--output", folder.path, "--source", faces, *options)
    assert failed.code == 1
    assert f"Stage {stage} failed: The source {faces} " in failed.sentence
    assert "changed after the run had begun: leave it alone" in failed.sentence
    # An entry without its proof does not count.
    assert not list(folder.cache.glob("*.proof.json"))
