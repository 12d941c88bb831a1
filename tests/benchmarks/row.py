"""A row of the table: two ways, and the bars that they are held to."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tests.benchmarks.harness import Cost, Pair, Way

Quantity = Literal["CPU", "wall", "memory"]

_READ: Mapping[Quantity, Callable[[Cost], float]] = {
    "CPU": lambda cost: cost.cpu_per_unit,
    "wall": lambda cost: cost.wall_per_unit,
    "memory": lambda cost: cost.peak_megabytes,
}


@dataclass(frozen=True)
class Bar:
    """What a row is held to.

    Attributes:
        quantity: What is read off each turn; CPU and wall are divided by the turn's units.
        form: ``other/ours`` for how many times ours is faster, ``ours/other`` for a share or a growth, ``ours`` for
            the quantity itself, in seconds or megabytes.
        at_least: Lowest value that holds, if any.
        at_most: Highest value that holds, if any.
    """

    quantity: Quantity
    form: Literal["other/ours", "ours/other", "ours"]
    at_least: float | None = None
    at_most: float | None = None

    def values(self, pairs: Sequence[Pair]) -> list[float]:
        """Return the quantity's value for each pair."""
        read = _READ[self.quantity]
        both = [(read(pair.ours), read(pair.other)) for pair in pairs]
        if self.form == "ours":
            return [ours for ours, _ in both]
        return [other / ours if self.form == "other/ours" else ours / other for ours, other in both]

    def holds(self, pairs: Sequence[Pair]) -> bool:
        """Return whether the median over the pairs holds."""
        middle = statistics.median(self.values(pairs))
        high_enough = self.at_least is None or middle >= self.at_least
        return high_enough and (self.at_most is None or middle <= self.at_most)

    def limit(self) -> str:
        """Return the bar as text."""
        if self.at_least is None and self.at_most is None:
            return "–"
        value, sign = (self.at_most, "≤") if self.at_least is None else (self.at_least, "≥")
        return f"{sign} {self.text(value or 0.0)}"

    def text(self, value: float) -> str:
        """Return a value with its unit."""
        if self.form != "ours":
            return f"{value:.2f} ×"
        return f"{value:,.0f} MB" if self.quantity == "memory" else f"{value:.1f} s"


def faster(times: float | None = None, by: Quantity = "CPU") -> Bar:
    """Return the bar that ours is at least so many times faster than the other; without a number it only reports."""
    return Bar(by, "other/ours", at_least=times)


def share(at_most: float | None = None, by: Quantity = "CPU") -> Bar:
    """Return the bar that ours takes at most this share, or multiple, of what the other takes."""
    return Bar(by, "ours/other", at_most=at_most)


def ours_at_most(limit: float, by: Quantity) -> Bar:
    """Return the bar that ours takes at most so many seconds or megabytes."""
    return Bar(by, "ours", at_most=limit)


@dataclass(frozen=True)
class Row:
    """A comparison of two ways.

    Attributes:
        name: What a user types.
        title: What is compared with what.
        ours: The project's way, or the larger of two sizes.
        other: What it is compared with.
        bars: What is read off and, if it has a limit, must hold.
        unit: What a turn is divided by.
        pairs: Number of pairs of turns.
        warm_up: Number of first turns of each process that are not counted.
        fresh: Whether every turn gets a new process.
        limit_seconds: Longest that a turn may take.
        constant: Name under which ours' CPU seconds per unit are written for estimates, if they are.
        skip: Says why the row can't be measured here, or returns None.
    """

    name: str
    title: str
    ours: Way
    other: Way
    bars: tuple[Bar, ...]
    unit: str = "run"
    pairs: int = 3
    warm_up: int = 1
    fresh: bool = False
    limit_seconds: float = 300.0
    constant: str | None = None
    skip: Callable[[], str | None] = lambda: None
