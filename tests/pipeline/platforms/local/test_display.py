"""What a console shows of a run: a terminal, a narrow one, a dumb one, one that knows few characters, and a file."""

import io
import re
import sys
import threading
from collections import Counter

import pytest
from kfp import dsl, local

from pipeline.platforms.local.display import Detail, Lines, Silence, choose_display
from pipeline.platforms.local.run_log import RunLog
from pipeline.platforms.local.tasks import Task, count_tasks

INS, PLAIN = Task("train", "ins, seed 42"), Task("train", "baseline, seed 42")
PLANNED = Counter(train=2, compare=1)


class Console(io.TextIOWrapper):
    def __init__(self, encoding="utf-8", *, terminal=True):
        super().__init__(io.BytesIO(), encoding, write_through=True)
        self.terminal = terminal

    def isatty(self):
        return self.terminal

    @property
    def text(self):
        return self.buffer.getvalue().decode(self.encoding)


def show_a_run(console, detail=Detail.NORMAL):
    display, shown = choose_display(console, detail, PLANNED, {"train": 30.0, "compare": 2.0})
    with shown:
        display.begun(INS)
        display.begun(PLAIN)
        display.said(INS, "ins, seed 42: epoch 2/8  loss 1.000")
        display.ended(INS, 61, succeeded=True)
        display.ended(PLAIN, 130, succeeded=False)
        display.reused(Task("compare"))
    return console.text


LINES = ["{ok} train ins, seed 42 (61 s), 1 of 3 stages", "{bad} train baseline, seed 42 (2.2 min), 2 of 3 stages"]


@pytest.mark.parametrize(
    ("encoding", "term", "marks"),
    [("utf-8", "dumb", "✓✗"), ("latin-1", "dumb", "+x"), ("ascii", "dumb", "+x"), ("utf-8", "", "✓✗")],
)
def test_a_console_without_a_cursor_gets_plain_lines_that_it_can_show(monkeypatch, encoding, term, marks):
    monkeypatch.setenv("TERM", term or "xterm")
    text = show_a_run(Console(encoding, terminal=bool(term)))
    expected = [line.format(ok=marks[0], bad=marks[1]) for line in LINES]
    assert text.splitlines() == [*expected, f"{marks[0]} compare (unchanged since an earlier run), 3 of 3 stages"]


@pytest.mark.parametrize(("columns", "encoding"), [(100, "utf-8"), (40, "utf-8"), (40, "latin-1")])
def test_a_terminal_gets_a_bar_with_rate_and_time_left_within_its_width(monkeypatch, columns, encoding):
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", str(columns))
    text = show_a_run(Console(encoding))
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    drawn = [re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", line) for line in re.split(r"[\r\n]+", text)]
    assert any(line.startswith("run, 2 of 3") for line in drawn)
    bars = [line for line in drawn if line.startswith(("run, ", "train "))]
    assert max(map(len, bars)) <= columns
    assert any(re.search(r"\d+%.*(\d\d:\d\d|--:--)", line) for line in bars)
    assert any("epochs/min" in line for line in bars) == (columns > 40)


def test_quiet_shows_nothing_and_verbose_shows_each_line_with_its_task(monkeypatch):
    monkeypatch.setenv("TERM", "dumb")
    assert show_a_run(Console(), Detail.QUIET) == ""
    verbose = show_a_run(Console(), Detail.VERBOSE).splitlines()
    assert verbose[:3] == [f"▸ {INS}", f"▸ {PLAIN}", "    ins, seed 42: epoch 2/8  loss 1.000"]


def test_a_task_that_talks_much_shows_a_line_now_and_then():
    shown = []
    lines = Lines(shown.append, 1, quiet_seconds=1e-3)
    lines.begun(INS)
    threading.Event().wait(2e-3)
    for _ in range(3):
        lines.said(INS, "loaded")
    assert shown == ["    train ins, seed 42: loaded"]


@dsl.component(base_image="python:3.11")
def train(variant: str, seed: int) -> str:
    for _ in range(30):
        print(f"evenface | I am {variant}", flush=True)  # noqa: T201
    return variant


@dsl.component(base_image="python:3.11")
def compare():
    raise ValueError("nothing to compare")


@dsl.pipeline
def branches(runs: list = [{"variant": "a", "seed": 1}, {"variant": "b", "seed": 2}]):  # noqa: B006 - KFP's default
    with dsl.ParallelFor(runs) as run:
        trained = train(variant=run.variant, seed=run.seed)
    compare().after(trained)


def test_parallel_branches_do_not_tangle_and_a_failure_has_its_own_cause(tmp_path, monkeypatch):
    assert count_tasks(branches.pipeline_spec) == {"train": 2, "compare": 1}
    everything, own = io.StringIO(), io.StringIO()
    log = RunLog(everything, own, Silence(), 3)
    monkeypatch.setattr(sys, "stdout", log)
    plain = print
    with log.watching():
        local.init(local.SubprocessRunner(use_venv=False), pipeline_root=str(tmp_path))
        with pytest.raises(RuntimeError):
            branches()
    assert print is plain
    said = [line for line in everything.getvalue().splitlines() if "I am" in line]
    assert len(said) == 60
    assert all(re.fullmatch(r"\[train (\w), seed \d\] +evenface \| I am \1", line) for line in said)
    assert (log.failed, log.cause) == (Task("compare"), "ValueError: nothing to compare")
    assert [stage.outcome for stage in log.stages] == ["done", "done", "failed"]
    assert own.getvalue().splitlines()[-1].endswith("3 of 3 stages")
