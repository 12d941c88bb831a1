"""The rows that every table and chart of the report has: variants and their post-hoc adjustments, in one order."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from components.compare.contract import Comparison, Row
from components.evaluation.catalogue import Metric

_SHOWN = 14
"""Rows of a chart that has one line for each: more are hard to read."""


@dataclass(frozen=True)
class ReportRow:
    """A row of the comparison, as the report shows it; its role decides its colour in charts."""

    name: str
    facts: Row
    role: Literal["reference", "recommended", "other"]

    @property
    def title(self) -> str:
        """Display name."""
        return self.facts.title

    @property
    def label(self) -> str:
        """Name in charts, where the row stands below that of its variant: the one that settings know it by."""
        return self.own_label if self.facts.is_trained else f"↳ {self.change}"

    @property
    def own_label(self) -> str:
        """Name in charts, where its variant may not stand above it."""
        return short(self.name)

    @property
    def change(self) -> str:
        """What was done to the networks of the variant that the row derives from; empty for a trained row."""
        adjusted = "post-hoc adjusted" if self.facts.is_adjusted else ""
        if not self.facts.is_ensemble:
            return adjusted
        averaged = f"mean of {len(self.facts.seeds)}"
        return f"{averaged}, adjusted" if adjusted else f"{averaged} networks"


def short(name: str) -> str:
    """Return a name that has room beside a chart."""
    return name if len(name) <= 28 else f"{name[:27].rstrip()}…"


def report_rows(comparison: Comparison) -> dict[str, ReportRow]:
    """Return all rows by name, in the comparison's order."""
    rows = {}
    for name, facts in comparison.rows.items():
        recommended, reference = name == comparison.recommended.variant, name == comparison.reference
        rows[name] = ReportRow(name, facts, "recommended" if recommended else "reference" if reference else "other")
    return rows


def leading_rows(rows: Sequence[ReportRow], metric: Metric) -> list[ReportRow]:
    """Return the rows that a chart shows: all if they are few, otherwise the best in a metric, in their order.

    The reference and the recommended row are always among them.
    """
    if len(rows) <= _SHOWN:
        return list(rows)

    def rank(row: ReportRow) -> tuple[bool, float]:
        value = row.facts.scalar(metric).value
        return row.role == "other", float("inf") if value is None else -metric.better.gain(value)

    shown = {row.name for row in sorted(rows, key=rank)[:_SHOWN]}
    return [row for row in rows if row.name in shown]


def closest_look(rows: Sequence[ReportRow]) -> list[ReportRow]:
    """Return the trained rows that are shown in full: the reference and the networks of the recommended row."""
    chosen = next((row for row in rows if row.role == "recommended"), None)
    names = {row.name for row in rows if row.role != "other"}
    if chosen is not None and chosen.facts.derived_from:
        names.add(chosen.facts.derived_from)
    trained = [row for row in rows if row.facts.is_trained]
    return [row for row in trained if row.name in names] or trained[:1]


def absent_variants(comparison: Comparison) -> dict[str, list[int]]:
    """Return the seeds of each variant that was requested but gave no results at all."""
    seeds: dict[str, list[int]] = {}
    for run in comparison.missing:
        if run.variant not in comparison.variants:
            seeds.setdefault(run.variant, []).append(run.seed)
    return seeds
