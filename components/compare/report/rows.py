"""The rows that every table and chart of the report has: variants and their post-hoc adjustments, in one order."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from components.compare.report.formats import is_number

Facts = Mapping[str, Any]


@dataclass(frozen=True)
class Row:
    """One variant, trained or adjusted afterwards.

    Attributes:
        name: Key in the comparison.
        facts: Its numbers there.
        title: Name for people.
        kind: ``trained``, ``posthoc``, or ``absent`` for a variant without results.
        role: ``reference``, ``recommended`` or ``other``; decides its colour in charts.
        missing_seeds: Seeds that were asked for and gave no results.
    """

    name: str
    facts: Facts
    title: str
    kind: str = "trained"
    role: str = "other"
    missing_seeds: list[int] = field(default_factory=list)

    @property
    def posthoc(self) -> bool:
        """Whether the row is a trained variant's, adjusted afterwards."""
        return self.kind == "posthoc"

    @property
    def label(self) -> str:
        """Name in charts, where the row stands below that of its variant."""
        text = "↳ post-hoc adjusted" if self.posthoc else self.title
        return text if len(text) <= 26 else f"{text[:25].rstrip()}…"

    @property
    def seeds(self) -> list[int]:
        """Seeds with results."""
        return list(self.facts.get("seeds", []))

    def headline(self, metric: str) -> Facts:
        """Return a metric's value and interval; empty when it has none."""
        found = self.facts.get(metric)
        return found if isinstance(found, Mapping) else {}

    def interval(self, metric: str, name: str) -> Facts:
        """Return value and interval of a metric for one class or age bin."""
        found = self.facts.get("intervals", {}).get(metric, {}).get(name)
        return found if isinstance(found, Mapping) else {"value": (self.facts.get(metric) or {}).get(name)}


def reference_of(comparison: Facts) -> str:
    """Return the name of the variant that the others are compared with."""
    settings = comparison.get("provenance", {}).get("settings", {})
    return str(settings.get("reference", "baseline"))


def order_rows(comparison: Facts) -> list[Row]:
    """Return all rows with results: each variant in the comparison's order, its post-hoc row below it."""
    reference = reference_of(comparison)
    recommended = comparison.get("recommended", {}).get("variant")
    posthoc = comparison.get("posthoc", {})

    def row(name: str, facts: Facts, kind: str) -> Row:
        role = "recommended" if name == recommended else "reference" if name == reference else "other"
        return Row(name, facts, str(facts.get("title") or name), kind, role, list(facts.get("missing_seeds", [])))

    rows = []
    for name, facts in comparison.get("variants", {}).items():
        rows.append(row(name, facts, "trained"))
        rows += [row(key, each, "posthoc") for key, each in posthoc.items() if each.get("derived_from") == name]
    return rows


def absent_rows(comparison: Facts) -> list[Row]:
    """Return a row without numbers for each variant that was asked for and gave no results at all."""
    seeds: dict[str, list[int]] = {}
    for run in comparison.get("missing", []):
        if run["variant"] not in comparison.get("variants", {}):
            seeds.setdefault(str(run["variant"]), []).append(run["seed"])
    return [Row(name, {}, name, "absent", "other", missing) for name, missing in seeds.items()]


def age_rivals(rows: Iterable[Row], reference: str) -> tuple[Row | None, Row | None]:
    """Return the reference and, of the other trained variants, the one with the lowest age MAE; or None."""
    trained = [row for row in rows if not row.posthoc]
    others = [row for row in trained if row.name != reference and is_number(row.headline("age_mae").get("value"))]
    return (
        next((row for row in trained if row.name == reference), None),
        min(others, key=lambda row: row.headline("age_mae")["value"], default=None),
    )
