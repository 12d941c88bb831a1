"""The report for people: one HTML file that needs no network, and its summary in Markdown."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from components.compare.report import formats
from components.compare.report.data import data_facts, split_table
from components.compare.report.figures import (
    age_figures,
    class_figures,
    data_figures,
    difference_figures,
    training_figures,
)
from components.compare.report.reading import reading_facts
from components.compare.report.results import headline, results_table
from components.compare.report.rows import absent_rows, order_rows, reference_of
from components.compare.report.sections import (
    CLASS_METRICS,
    GROUP_METRICS,
    NATURAL_METRICS,
    SPREAD_METRICS,
    age_bins,
    class_names,
    confusions,
    group_table,
    named_table,
    natural_table,
    tests_table,
)
from components.evaluation.predictions import Predictions
from components.files import atomic_path

_TEMPLATES = Path(__file__).parent / "templates"

_FILTERS = {
    "count": formats.count,
    "decimal": formats.decimal,
    "duration": formats.duration,
    "ended": formats.ended,
    "markdown": formats.markdown,
    "metric_name": formats.metric_name,
    "p_value": formats.p_value,
    "percent": formats.percent,
    "span": formats.span,
}


def render_report(
    comparison: dict[str, Any],
    data_summary: dict[str, Any],
    histories: Mapping[tuple[str, int], pd.DataFrame],
    predictions: Sequence[Predictions],
    out_html: Path,
    out_markdown: Path,
) -> None:
    """Write the report.

    It shows what it is given: a variant without results, a number that is null and a fact that an
    earlier stage did not count leave a dash or no chart, never an error.

    Args:
        comparison: Content of ``comparison.json``; see :mod:`components.compare.comparison`.
        data_summary: What preprocess counted.
        histories: Training history of each run, by variant and seed: a column ``epoch`` and one per
            loss and metric, with ``val_`` before the name for the validation faces.
        predictions: Predictions of each run on the test faces.
        out_html: HTML file to write.
        out_markdown: Markdown file to write.
    """
    content = _content(comparison, data_summary, histories, predictions)
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=jinja2.select_autoescape(("html.j2",)),
        undefined=jinja2.ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= _FILTERS
    for template, path in (("report.html.j2", out_html), ("report.md.j2", out_markdown)):
        text = environment.get_template(template).render(content)
        with atomic_path(path) as draft:
            draft.write_text(text, encoding="utf-8")


def _content(
    comparison: dict[str, Any],
    data_summary: dict[str, Any],
    histories: Mapping[tuple[str, int], pd.DataFrame],
    predictions: Sequence[Predictions],
) -> dict[str, Any]:
    """Return what the templates show."""
    rows = order_rows(comparison)
    trained = [row for row in rows if not row.posthoc]
    reference = reference_of(comparison)
    data = data_facts(comparison, data_summary)
    labels = data["dataset"].get("labels") or {}
    ethnicities, bins = class_names(rows, labels, "ethnicity"), age_bins(rows, labels)
    provenance = comparison.get("provenance", {})
    named = {kind: class_names(rows, labels, kind) for kind in ("gender", "ethnicity")}
    return {
        "headline": headline(comparison, rows),
        "results": results_table(comparison, rows, absent_rows(comparison)),
        "rows": rows,
        "trained": trained,
        "reference": reference,
        "confidence": f"{100 * provenance.get('settings', {}).get('confidence', 0.95):g}\u202f%",
        "ethnicities": ethnicities,
        "class_tables": {metric: named_table(rows, metric, ethnicities, "higher") for metric in CLASS_METRICS},
        "class_figures": class_figures(rows, ethnicities),
        "confusions": [
            (
                row,
                [
                    (owner, matrix)
                    for owner in (row, *(each for each in rows if each.facts.get("derived_from") == row.name))
                    for kind in ("gender", "ethnicity")
                    if (matrix := confusions(owner, kind, named[kind]))
                ],
            )
            for row in trained
        ],
        "age_bins": bins,
        "age_table": named_table(trained, "age_mae_by_bin", bins, "lower"),
        "spread_metrics": SPREAD_METRICS,
        "age_figures": age_figures(rows, bins, reference, predictions),
        "tests": tests_table(comparison),
        "difference_figures": difference_figures(rows, tests_table(comparison)),
        "groups": [table for metric in GROUP_METRICS if (table := group_table(rows, metric))],
        "natural": natural_table(rows, comparison.get("floor", {})),
        "natural_metrics": NATURAL_METRICS,
        "data": data,
        "splits": split_table(data["dataset"]),
        "data_figures": data_figures(data["before"], data["after"]),
        "training": training_figures(trained, histories),
        "tuning": comparison.get("tuning", {}),
        "provenance": provenance,
        "runs": comparison.get("runs", []),
        "missing": comparison.get("missing", []),
        "reading": reading_facts(comparison),
        "training_time": str(timedelta(seconds=round(sum(_seconds(row.facts) for row in trained)))),
    }


def _seconds(facts: Mapping[str, Any]) -> float:
    return sum(value or 0 for value in facts.get("train_seconds_by_seed", {}).values())
