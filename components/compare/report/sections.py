"""Tables on classes, age bins, groups and the natural population, and the paired tests."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.compare.report.formats import decimals, is_number, metric_name
from components.compare.report.rows import Facts, Row

CLASS_METRICS = ("ethnicity_f1", "ethnicity_recall", "ethnicity_precision")

GROUP_METRICS = ("age_mae", "gender_accuracy", "ethnicity_recall", "ethnicity_f1", "age_bias")

NATURAL_METRICS = ("age_mae", "gender_accuracy", "ethnicity_accuracy", "ethnicity_macro_f1")

SPREAD_METRICS = ("age_bias", "age_error_median", "age_error_p90", "age_error_std", "age_mae_bin_gap")

_TESTS = {
    "permutation": "permutation",
    "mcnemar_exact": "exact McNemar",
    "sign_flip_exact": "exact sign flip",
}


def class_names(rows: Sequence[Row], labels: Mapping[str, Any], kind: str) -> list[str]:
    """Return the names of the classes.

    Args:
        rows: All rows.
        labels: ``dataset.labels`` of the comparison.
        kind: ``ethnicity`` or ``gender``.
    """
    named = labels.get({"ethnicity": "ethnicities", "gender": "genders"}[kind])
    return list(named or (rows[0].facts.get(f"{kind}_recall", {}) if rows else ()))


def age_bins(rows: Sequence[Row], labels: Mapping[str, Any]) -> list[str]:
    """Return the names of the age bins."""
    return list(labels.get("age_bins") or (rows[0].facts.get("age_mae_by_bin", {}) if rows else ()))


def named_table(rows: Sequence[Row], metric: str, names: Sequence[str], better: str) -> list[dict[str, Any]]:
    """Return one metric of every row, per class or age bin, with the best of each column and the worst of each row.

    Args:
        rows: Rows of the table.
        metric: Metric with a value per name.
        names: Columns.
        better: ``lower`` or ``higher``.

    Returns:
        For each row ``row`` and ``cells`` with the interval ``found``, ``best`` and ``worst``.
    """
    table = [{"row": row, "cells": [{"found": row.interval(metric, name)} for name in names]} for row in rows]
    return _mark(table, better)


def group_table(rows: Sequence[Row], metric: str) -> dict[str, Any] | None:
    """Return one metric of every row per gender × ethnicity group; None when no row has it.

    Returns:
        ``name``, ``places``, ``groups`` (``name``, ``faces``), and ``rows`` as of :func:`named_table`
        with ``gap``, the interval of the difference between the worst and the best group.
    """
    found = [(row, row.facts["groups"][metric]) for row in rows if metric in row.facts.get("groups", {})]
    # A post-hoc row has the ages and genders of its variant.
    found = [(row, facts) for row, facts in found if not row.posthoc or metric.startswith("ethnicity")]
    if not found:
        return None
    groups = found[0][1]["by_group"]
    table = [
        {
            "row": row,
            "cells": [{"found": facts["by_group"].get(name, {})} for name in groups],
            "gap": facts.get("difference", {}),
        }
        for row, facts in found
    ]
    better = str(found[0][1].get("better", "higher"))
    return {
        "metric": metric,
        "name": metric_name(metric),
        "places": decimals(metric) - 1,
        "better": better,
        "groups": [{"name": name, "faces": facts.get("faces")} for name, facts in groups.items()],
        "rows": _mark(table, better),
    }


def natural_table(rows: Sequence[Row], floor: Facts) -> list[dict[str, Any]]:
    """Return for each row, and for the constant predictor last, the estimates for the natural population.

    Returns:
        ``row`` (None for the constant predictor) and ``cells``: ``natural`` and ``balanced``
        intervals, ``places`` and ``same`` (a post-hoc row has its variant's age and gender).
    """
    table: list[dict[str, Any]] = []
    for row, facts in [*((row, row.facts) for row in rows), (None, floor)]:
        if not facts.get("natural"):
            continue
        cells = [
            {
                "natural": facts["natural"].get(metric) or {},
                "balanced": facts.get(metric) or {},
                "places": decimals(metric),
                "same": row is not None and row.posthoc and not metric.startswith("ethnicity"),
            }
            for metric in NATURAL_METRICS
        ]
        table.append({"row": row, "cells": cells})
    return table


def confusions(row: Row, kind: str, names: Sequence[str]) -> dict[str, Any] | None:
    """Return a confusion matrix as a table, or None where the row has none of its own.

    Args:
        row: A row.
        kind: ``gender`` or ``ethnicity``.
        names: Names of the classes.

    Returns:
        ``kind``, ``names``, and per true class ``name``, ``faces`` and ``cells`` with ``count``,
        ``share`` of the row (None when the class has no face) and ``level``, the share from 0 to 1.
    """
    counts = row.facts.get(f"{kind}_confusion")
    if not counts or (row.posthoc and kind == "gender"):
        return None
    lines = []
    for name, line in zip(names, counts, strict=False):
        total = sum(line)
        cells = [
            {"count": one, "share": one / total if total else None, "level": one / total if total else 0}
            for one in line
        ]
        lines.append({"name": name, "faces": total, "cells": cells})
    return {"kind": kind, "names": list(names), "lines": lines}


def tests_table(comparison: Facts) -> dict[str, list[dict[str, Any]]]:
    """Return the paired tests by metric, each with the name of its test for people."""
    table: dict[str, list[dict[str, Any]]] = {}
    for test in comparison.get("paired", []):
        named = {**test, "test_name": _TESTS.get(str(test.get("test")), str(test.get("test", "")))}
        table.setdefault(str(test["metric"]), []).append(named)
    return table


def _mark(table: list[dict[str, Any]], better: str) -> list[dict[str, Any]]:
    """Mark the best value of each column, when there are several rows, and the worst of each row."""

    def badness(value: float) -> float:
        return {"lower": value, "higher": -value, "zero": abs(value)}[better]

    def extreme(cells: Sequence[Mapping[str, Any]], choose: Any) -> float | None:
        known = [badness(cell["found"]["value"]) for cell in cells if is_number(cell["found"].get("value"))]
        return choose(known) if len(known) > 1 else None

    width = len(table[0]["cells"]) if table else 0
    best = [extreme([line["cells"][column] for line in table], min) for column in range(width)]
    for line in table:
        worst = extreme(line["cells"], max)
        for cell, best_of_column in zip(line["cells"], best, strict=True):
            value = cell["found"].get("value")
            cell["best"] = is_number(value) and badness(value) == best_of_column
            cell["worst"] = is_number(value) and badness(value) == worst
    return table
