"""What the report says about the data."""

from collections.abc import Mapping
from typing import Any

from components.compare.report.formats import is_number

Facts = Mapping[str, Any]

_LABELS = {"log_age": "log-age"}


def data_facts(comparison: Facts, summary: Facts) -> dict[str, Any]:
    """Return the facts of the data, from preprocess's summary or else from the comparison.

    Returns:
        ``dataset`` (the comparison's), ``steps``, ``rejects``, ``before`` and ``after`` (faces by
        gender, ethnicity and age), and ``correlation`` (see :func:`correlation_table`).
    """
    dataset = comparison.get("dataset", {})
    distributions = summary if "before" in summary else dataset.get("distributions") or {}
    return {
        "dataset": dataset,
        "steps": summary.get("steps") or dataset.get("steps") or [],
        "rejects": summary.get("rejects") or dataset.get("rejects") or {},
        "before": distributions.get("before") or {},
        "after": distributions.get("after") or {},
        "correlation": correlation_table(summary.get("correlation") or dataset.get("correlation") or {}),
    }


def correlation_table(correlation: Facts) -> list[dict[str, Any]]:
    """Return the correlation matrix as lines of ``name`` and ``cells``; empty when there is none.

    Args:
        correlation: ``matrix`` with its names in ``columns`` (or ``labels``); a value may be None.

    Returns:
        A cell has ``name`` (of its column), ``value``, ``level`` (its size, 0 to 1) and ``negative``.
    """
    names = [_LABELS.get(name, name) for name in correlation.get("columns") or correlation.get("labels") or []]
    lines = []
    for name, values in zip(names, correlation.get("matrix", []), strict=False):
        cells = [
            {
                "name": column,
                "value": value,
                "level": min(abs(value), 1) if is_number(value) else 0,
                "negative": is_number(value) and value < 0,
            }
            for column, value in zip(names, values, strict=False)
        ]
        lines.append({"name": name, "cells": cells})
    return lines


def split_table(dataset: Facts) -> list[dict[str, Any]]:
    """Return the faces of each split, in all and per gender and ethnicity."""
    titles = {"manifest": "All faces used", "train": "Training", "validation": "Validation", "test": "Test"}
    splits = dataset.get("splits") or {}
    return [
        {
            "name": title,
            "faces": dataset.get("faces" if name == "manifest" else name),
            "gender": splits[name].get("gender", {}),
            "ethnicity": splits[name].get("ethnicity", {}),
        }
        for name, title in titles.items()
        if name in splits
    ]
