"""Kill a tuned and trained run over and over: ``python -m tests.torture.kills``, about a quarter of an hour.

A run is killed in each of its stages and begun again, until it ends. Its predictions then have to be those of a run
that was left alone, byte for byte; after each kill no process may be left, and at the end no file. Not collected
by pytest.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

STAGES = (
    ["preprocess"] * 2
    + ["build_test_set", "split"]
    + ["tune"] * 5
    + ["gather_hyperparameters"]
    + ["train"] * 6
    + ["evaluate"] * 2
    + ["compare"]
    + ["recommend"]
)
SETTINGS = (
    "variants=[baseline, drw]",
    "preprocess.synthetic.faces=1500",
    "build_test_set.faces_per_cell=1",
    "tune.epochs=4",
    "training.epochs=10",
)
_ENDS_WITHIN_SECONDS = 5
_RUN = [sys.executable, "-m", "pipeline", "run", "--preset", "demo", "-v", *[w for s in SETTINGS for w in ("--set", s)]]


@dataclass
class Kill:
    """One kill: what was aimed at, how, what was running when it came, and how long until nothing was."""

    wanted: str
    how: str
    met: str
    seconds: float
    left_alive: list[str]


def start(folder):
    """Start a run in a process group of its own, its output in a file."""
    with (folder.parent / f"{folder.name}.out").open("ab") as output:
        output.write(b"-- begun\n")
        return subprocess.Popen(
            [*_RUN, "--output", str(folder)], stdout=output, stderr=subprocess.STDOUT, start_new_session=True
        )


def running(folder):
    """Return the stages that the latest start has begun and not ended."""
    begun = (folder.parent / f"{folder.name}.out").read_text().rpartition("-- begun\n")[2]
    stages = []
    for line in begun.splitlines():
        mark, _, rest = line.partition(" ")
        name = rest.split(" ")[0]
        if mark == "▸":
            stages.append(name)
        elif mark in "✓✗" and name in stages:
            stages.remove(name)
    return stages


def processes(session):
    """Return the pids of a session's processes, and what they are."""
    found = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = stat.with_name("cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if int(fields[3]) == session and fields[0] != "Z":
            found[int(stat.parent.name)] = command
    return found


def kill_once(folder, wanted, rng):
    """Start a run, kill it in a stage, and wait for it and its children to end; None if it had ended before."""
    run = start(folder)
    # A short stage may begin and end unseen; then a later one has to do.
    enough = set(STAGES[STAGES.index(wanted) :])
    while not enough.intersection(running(folder)) and run.poll() is None:
        time.sleep(0.02)
    deadline = time.monotonic() + rng.uniform(0, {"tune": 12, "train": 14, "evaluate": 3}.get(wanted, 1.5))
    while time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.02)
    if run.poll() is not None:
        return None
    how = rng.choice(["SIGKILL to the run", "SIGTERM to the run", "SIGINT to the group", "SIGKILL to a stage"])
    met = ", ".join(running(folder)) or "between stages"
    alive = processes(run.pid)
    stages = [pid for pid, command in alive.items() if pid != run.pid and "executor_main" in command]
    if how == "SIGINT to the group":
        os.killpg(run.pid, signal.SIGINT)
    elif how == "SIGKILL to a stage" and stages:
        os.kill(rng.choice(stages), signal.SIGKILL)
    else:
        os.kill(run.pid, signal.SIGTERM if how == "SIGTERM to the run" else signal.SIGKILL)
    if how == "SIGKILL to a stage":
        run.wait(120)  # Its other branch goes on first.
    killed = time.monotonic()
    while processes(run.pid) and time.monotonic() < killed + _ENDS_WITHIN_SECONDS:
        time.sleep(0.05)
    seconds, left = time.monotonic() - killed, list(processes(run.pid).values())
    for pid in processes(run.pid):
        os.kill(pid, signal.SIGKILL)
    run.wait(120)
    return Kill(wanted, how, met, seconds, left)


def finish(folder):
    """Run to the end."""
    run = start(folder)
    if run.wait(900):
        sys.exit(f"the run failed with exit code {run.returncode}: see {folder}.out")


def predictions(folder):
    """Return the bytes of all predictions, by path."""
    return {
        str(path.relative_to(folder)): path.read_bytes() for path in sorted((folder / "predictions").rglob("*.parquet"))
    }


def leftovers(folder, scratch):
    """Return files that a finished run should not have: drafts, unfinished trainings, scratch folders."""
    inside = [path for path in folder.rglob("*") if path.name.startswith(".") and path.name.count(".") > 1]
    unfinished = list((folder / ".pipeline").rglob("*.npz"))
    return [str(path) for path in (*inside, *unfinished, *scratch.iterdir())]


def main():
    """Kill, compare, print what happened."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of the moments and signals")
    parser.add_argument("--kills", type=int, default=len(STAGES))
    options = parser.parse_args()
    rng = random.Random(options.seed)  # noqa: S311 - no secret
    # A shell starts what runs in the background with Ctrl-C ignored, and children inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with tempfile.TemporaryDirectory() as place:
        scratch = Path(place, "tmp")
        scratch.mkdir()
        os.environ["TMPDIR"] = str(scratch)
        quiet, disturbed = Path(place, "quiet"), Path(place, "disturbed")
        started = time.monotonic()
        finish(quiet)
        print(f"undisturbed: {time.monotonic() - started:.0f} s", flush=True)
        kills = []
        for wanted in sorted(rng.sample(STAGES, options.kills), key=STAGES.index):
            kill = kill_once(disturbed, wanted, rng)
            if kill is None:
                print(f"{wanted:24} the run had ended", flush=True)
                continue
            kills.append(kill)
            alive = f"; LEFT ALIVE: {kill.left_alive}" if kill.left_alive else ""
            print(f"{wanted:24} {kill.how:20} met {kill.met}, gone after {kill.seconds:.1f} s{alive}", flush=True)
        finish(disturbed)
        same = predictions(quiet) == predictions(disturbed)
        left = leftovers(disturbed, scratch)
        resumed = (Path(place) / "disturbed.out").read_text().count("goes on where it stopped")
        print(
            json.dumps(
                {
                    "kills": len(kills),
                    "stages_met": sorted({stage for kill in kills for stage in kill.met.split(", ")}),
                    "predictions": len(predictions(quiet)),
                    "predictions_equal": same,
                    "trainings_taken_up": resumed,
                    "left_alive": sum(bool(kill.left_alive) for kill in kills),
                    "leftover_files": left,
                },
                indent=2,
            )
        )
        sys.exit(0 if same and not left and not any(kill.left_alive for kill in kills) else 1)


if __name__ == "__main__":
    main()
