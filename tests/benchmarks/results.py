"""What a bench measured, as a table and as JSON."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from rich import box
from rich.table import Table

from tests.benchmarks.harness import Cost, Pair
from tests.benchmarks.row import Bar, Row


@dataclass(frozen=True)
class Result:
    """What a row gave.

    Attributes:
        row: The row.
        pairs: What was measured; empty where it could not be.
        seconds: How long the row took, with all its preparations.
        load: Load average over a minute when it began and when it ended.
        problem: Why it was skipped or failed.
        skipped: Whether it was skipped, which is no failure.
    """

    row: Row
    pairs: Sequence[Pair]
    seconds: float
    load: tuple[float, float]
    problem: str | None = None
    skipped: bool = False

    @property
    def holds(self) -> bool:
        """Whether the row was measured, or rightly skipped, and all its bars hold."""
        return self.skipped or (self.problem is None and all(bar.holds(self.pairs) for bar in self.row.bars))

    def to_dict(self) -> dict[str, Any]:
        """Return the result for JSON."""
        return {
            "name": self.row.name,
            "title": self.row.title,
            "unit": self.row.unit,
            "bars": [_bar_facts(bar, self.pairs) for bar in self.row.bars] if self.pairs else [],
            "holds": self.holds,
            "problem": self.problem,
            "pairs": [asdict(pair) for pair in self.pairs],
            "seconds": round(self.seconds, 1),
            "load": list(self.load),
        }


def report(machine: Mapping[str, Any], results: Sequence[Result]) -> dict[str, Any]:
    """Return the whole bench for JSON; ``constants`` are what an estimate is made of."""
    return {"machine": dict(machine), "constants": _constants(results), "rows": [row.to_dict() for row in results]}


def _constants(results: Iterable[Result]) -> dict[str, Any]:
    """Return the CPU and wall seconds of ours per unit, from the rows that name a constant."""
    return {
        result.row.constant: {
            "cpu_seconds": float(f"{_middle(cost.cpu_per_unit for cost in _ours(result)):.4g}"),
            "wall_seconds": float(f"{_middle(cost.wall_per_unit for cost in _ours(result)):.4g}"),
            "per": result.row.unit,
            "row": result.row.name,
        }
        for result in results
        if result.row.constant and result.pairs
    }


def render(results: Sequence[Result]) -> Table:
    """Return the table, one line for each bar."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for heading in (
        "row",
        "what",
        "measure",
        "median (range)",
        "bar",
        "holds",
        "CPU, ours / other",
        "wall, ours / other",
    ):
        justify: Literal["left", "right"] = "right" if heading in {"median (range)", "bar"} else "left"
        table.add_column(heading, justify=justify, no_wrap=heading != "what", min_width=len(heading))
    for result in results:
        if not result.pairs:
            state = ("skipped", "") if result.skipped else ("failed", "no")
            table.add_row(result.row.name, f"{result.row.title}: {result.problem}", state[0], "", "", state[1])
            continue
        for place, bar in enumerate(result.row.bars):
            head = ("", "") if place else (result.row.name, result.row.title)
            costs = ("", "") if place else _costs(result)
            table.add_row(
                *head, _measure(bar), _spread(bar, result.pairs), bar.limit(), _verdict(bar, result.pairs), *costs
            )
    return table


def _measure(bar: Bar) -> str:
    return bar.quantity if bar.form == "ours" else f"{bar.quantity}, {bar.form}"


def _verdict(bar: Bar, pairs: Sequence[Pair]) -> str:
    if bar.at_least is None and bar.at_most is None:
        return "–"
    return "yes" if bar.holds(pairs) else "no"


def _spread(bar: Bar, pairs: Sequence[Pair]) -> str:
    values = bar.values(pairs)
    middle = bar.text(statistics.median(values))
    return f"{middle} ({bar.text(min(values)).split()[0]}–{bar.text(max(values)).split()[0]})" if values[1:] else middle


def _costs(result: Result) -> tuple[str, str]:
    other = [pair.other for pair in result.pairs]
    cpu = " / ".join(_time(_middle(cost.cpu_per_unit for cost in way)) for way in (_ours(result), other))
    wall = " / ".join(_time(_middle(cost.wall_per_unit for cost in way)) for way in (_ours(result), other))
    return f"{cpu} a {result.row.unit}", wall


def _ours(result: Result) -> list[Cost]:
    return [pair.ours for pair in result.pairs]


def _middle(values: Iterable[float]) -> float:
    return statistics.median(values)


def _time(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _bar_facts(bar: Bar, pairs: Sequence[Pair]) -> dict[str, Any]:
    values = bar.values(pairs)
    return {
        "quantity": bar.quantity,
        "form": bar.form,
        "median": statistics.median(values),
        "low": min(values),
        "high": max(values),
        "at_least": bar.at_least,
        "at_most": bar.at_most,
        "holds": bar.holds(pairs),
    }
