"""The headline and the table of results."""

from collections.abc import Mapping, Sequence
from typing import Any

from components.compare.report.formats import decimals, is_number, metric_name
from components.compare.report.rows import Facts, Row, reference_of

MAIN_METRICS = {"age_mae": "lower", "gender_accuracy": "higher", "ethnicity_macro_f1": "higher"}
"""Metrics of the results table, and which way is better."""

_UNITS = {"age_mae": "years"}


def headline(comparison: Facts, rows: Sequence[Row]) -> dict[str, Any]:
    """Return the recommendation with its key numbers.

    Returns:
        ``title``, ``variant``, ``verb`` (Keep the reference, Ship a saved model, Adjust one after the fact),
        ``because``, ``rule``, ``candidates``, ``indistinguishable``, and
        ``figures``: for each main metric ``metric``, ``name``, ``unit``, ``places``, the interval
        ``found`` and ``reference``, the reference's value (None for the reference itself).
    """
    recommended = comparison.get("recommended", {})
    row = next((row for row in rows if row.name == recommended.get("variant")), None)
    reference = next((each for each in rows if each.name == reference_of(comparison)), None)
    figures = [
        {
            "metric": metric,
            "name": metric_name(metric),
            "unit": _UNITS.get(metric, ""),
            "places": decimals(metric),
            "found": row.headline(metric),
            "reference": reference.headline(metric).get("value") if reference and reference is not row else None,
        }
        for metric in MAIN_METRICS
        if row
    ]
    return {
        "title": row.title if row else None,
        "variant": row.name if row else None,
        "verb": "Keep"
        if row is not None and row is reference
        else "Ship"
        if recommended.get("deployable")
        else "Adjust",
        "because": recommended.get("because", ""),
        "rule": recommended.get("rule", {}).get("text", ""),
        "candidates": [_candidate(each, rows) for each in recommended.get("candidates", [])],
        "indistinguishable": recommended.get("indistinguishable", []),
        "figures": figures,
    }


def weakest_class(comparison: Facts, rows: Sequence[Row]) -> str | None:
    """Return the ethnicity with the lowest recall in the reference, or in the first row without a reference."""
    reference = reference_of(comparison)
    row = next((row for row in rows if row.name == reference), rows[0] if rows else None)
    recalls = row.facts.get("ethnicity_recall", {}) if row else {}
    known = {name: recall for name, recall in recalls.items() if is_number(recall)}
    return min(known, key=lambda name: known[name]) if known else None


def results_table(comparison: Facts, rows: Sequence[Row], absent: Sequence[Row]) -> dict[str, Any]:
    """Return the table of results.

    Returns:
        ``columns`` (``name``, ``unit``, ``arrow``), ``rows`` (``row``, ``cells``) and ``floor`` (cells
        of the constant predictor). A cell has ``found`` (interval), ``places``, ``best`` (of its
        column), ``verdict`` and ``test`` (against the reference) and ``same``: equal by construction
        to the cell above.
    """
    tests = {(test["a"], test["metric"]): test for test in comparison.get("paired", [])}
    weakest = weakest_class(comparison, rows)
    columns = [
        {"name": metric_name(metric), "unit": _UNITS.get(metric, ""), "arrow": "↓" if better == "lower" else "↑"}
        for metric, better in MAIN_METRICS.items()
    ]
    found = {row.name: [row.headline(metric) for metric in MAIN_METRICS] for row in rows}
    floor = comparison.get("floor", {})
    floor_cells = [floor.get(metric) or {} for metric in MAIN_METRICS]
    places = [decimals(metric) for metric in MAIN_METRICS]
    metrics: list[str | None] = [*MAIN_METRICS]
    betters = [*MAIN_METRICS.values()]
    if weakest:
        columns.append({"name": f"{weakest} recall", "unit": "", "arrow": "↑"})
        for row in rows:
            found[row.name].append(row.interval("ethnicity_recall", weakest))
        floor_cells.append(Row("", floor, "").interval("ethnicity_recall", weakest))
        places.append(3)
        metrics.append(None)
        betters.append("higher")
    best = [
        _best([found[row.name][column].get("value") for row in rows], better) for column, better in enumerate(betters)
    ]

    def cell(row: Row, column: int) -> dict[str, Any]:
        metric = metrics[column]
        test = tests.get((row.name, metric), {})
        same = row.posthoc and metric is not None and not metric.startswith("ethnicity")
        value = found[row.name][column].get("value")
        return {
            "found": found[row.name][column],
            "places": places[column],
            "best": len(rows) > 1 and is_number(value) and value == best[column],
            "verdict": test.get("verdict"),
            "test": test,
            "same": same,
        }

    return {
        "columns": columns,
        "rows": [{"row": row, "cells": [cell(row, column) for column in range(len(columns))]} for row in rows],
        "absent": list(absent),
        "floor": [{"found": one, "places": place} for one, place in zip(floor_cells, places, strict=True)],
        "predicts": floor.get("predicts", {}),
        "weakest": weakest,
    }


def _best(values: Sequence[Any], better: str) -> float | None:
    known = [float(value) for value in values if is_number(value)]
    if not known:
        return None
    return min(known) if better == "lower" else max(known)


def _candidate(candidate: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """One row that could have been recommended: what it gains, and the guards that it fails."""
    primary = candidate.get("primary", {})
    return {
        "row": next((row for row in rows if row.name == candidate["variant"]), Row(candidate["variant"], {}, "")),
        "gain": candidate.get("gain", primary.get("difference")),
        "p_adjusted": candidate.get("p_adjusted", primary.get("p_adjusted")),
        "significant": candidate.get("significant"),
        "consistent": candidate.get("consistent_over_seeds"),
        "failed": [guard for guard in candidate.get("guards", []) if not guard.get("holds")],
        "guards": len(candidate.get("guards", [])),
        "eligible": candidate.get("eligible"),
    }
