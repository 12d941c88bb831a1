"""The rows that every table and chart of the report has: variants and their post-hoc adjustments, in one order."""

from dataclasses import dataclass
from typing import Literal

from components.compare.contract import Comparison, Row


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
        """Name in charts, where the row stands below that of its variant."""
        text = "↳ post-hoc adjusted" if self.facts.is_posthoc else self.title
        return text if len(text) <= 26 else f"{text[:25].rstrip()}…"


def report_rows(comparison: Comparison) -> dict[str, ReportRow]:
    """Return all rows by name, in the comparison's order."""
    rows = {}
    for name, facts in comparison.rows.items():
        recommended, reference = name == comparison.recommended.variant, name == comparison.reference
        rows[name] = ReportRow(name, facts, "recommended" if recommended else "reference" if reference else "other")
    return rows


def absent_variants(comparison: Comparison) -> dict[str, list[int]]:
    """Return the seeds of each variant that was requested but gave no results at all."""
    seeds: dict[str, list[int]] = {}
    for run in comparison.missing:
        if run.variant not in comparison.variants:
            seeds.setdefault(run.variant, []).append(run.seed)
    return seeds
