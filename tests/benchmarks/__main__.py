"""Measure how fast evenface is: ``make bench``, or ``python -m tests.benchmarks [ROW …]``."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from rich.console import Console

from components.errors import EvenfaceError, RequestError
from components.files import write_json
from components.suggestion import did_you_mean
from tests.benchmarks.faces import Faces, make_faces
from tests.benchmarks.harness import WayError, alternate
from tests.benchmarks.machine import describe_machine, load
from tests.benchmarks.registry import ROWS
from tests.benchmarks.results import Result, render, report
from tests.benchmarks.row import Row

_WIDTH = 190


def main(arguments: list[str] | None = None) -> int:
    """Run the bench; return 0 if every bar holds, 1 if one does not or a row failed, 2 if the request was wrong."""
    options = _parse(arguments)
    console = Console(width=_WIDTH, highlight=False, soft_wrap=True)
    if options.list:
        for row in ROWS.values():
            console.print(f"{row.name:18}{row.title}")
        return 0
    try:
        return _bench(_choose(options.rows), options.source, options.output, console)
    except EvenfaceError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2


def _parse(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("rows", nargs="*", metavar="ROW", help="rows to measure; all if none is named")
    parser.add_argument("--list", action="store_true", help="list the rows and exit")
    parser.add_argument("--source", default="synthetic", help="folder or archive of real faces to measure on")
    parser.add_argument("--output", type=Path, default=Path("runs/bench/bench.json"), help="JSON to write")
    return parser.parse_args(arguments)


def _choose(names: list[str]) -> list[Row]:
    for name in names:
        if name not in ROWS:
            problem = f"There is no row '{name}'{did_you_mean(name, ROWS)}"
            raise RequestError(problem, remedy="python -m tests.benchmarks --list names them all")
    return [row for row in ROWS.values() if not names or row.name in names]


def _bench(rows: list[Row], source: str, output: Path, console: Console) -> int:
    machine = describe_machine()
    _print_head(machine, console)
    started, results = time.monotonic(), list[Result]()
    with tempfile.TemporaryDirectory(prefix="evenface-bench-") as folder:
        faces = make_faces(Path(folder), source)
        for row in rows:
            result = _measure(row, faces)
            results.append(result)
            console.print(f"  {row.name}: {result.problem or 'measured'}, {result.seconds:.0f} s", style="dim")
            # Written after each row, so that an interruption loses none of what was measured.
            machine["load_after"], machine["seconds"] = load(), round(time.monotonic() - started, 1)
            write_json(output, report(machine, results))
    console.print(render(results))
    console.print(
        f"{machine['seconds']:.0f} s; load {machine['load_before'][0]} before, {machine['load_after'][0]} after"
    )
    console.print(f"Written to {output}")
    missed = [result.row.name for result in results if not result.holds]
    if missed:
        console.print(f"{len(missed)} of {len(results)} rows miss a bar: {', '.join(missed)}")
    return 1 if missed else 0


def _measure(row: Row, faces: Faces) -> Result:
    started, before = time.monotonic(), load()[0]
    problem = row.skip()
    if problem:
        return Result(row, (), 0.0, (before, before), problem, skipped=True)
    pairs = []
    try:
        pairs = alternate(
            row.ours,
            row.other,
            faces,
            pairs=row.pairs,
            warm_up=row.warm_up,
            fresh=row.fresh,
            limit_seconds=row.limit_seconds,
        )
    except WayError as error:
        problem = str(error)
    return Result(row, pairs, time.monotonic() - started, (before, load()[0]), problem)


def _print_head(machine: dict, console: Console) -> None:  # type: ignore[type-arg]
    versions = ", ".join(f"{name} {number}" for name, number in machine["versions"].items())
    console.print(f"evenface {machine['commit']}, {machine['date']}")
    console.print(
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gigabytes']} GB; {machine['system']}; "
        f"load {', '.join(map(str, machine['load_before']))}"
    )
    console.print(f"Python {machine['python']}, {versions}")


if __name__ == "__main__":
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    sys.exit(main())
