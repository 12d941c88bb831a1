"""The report for people: one HTML file that works offline, and its summary in Markdown."""

import inspect
import os
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import jinja2

from components.compare.contract import Comparison, Recommendation
from components.compare.report import formats
from components.compare.report.charts.ages import MAE_BY_BIN, SPREAD, age_charts
from components.compare.report.charts.calibration import calibration_charts
from components.compare.report.charts.classes import class_charts
from components.compare.report.charts.dataset import dataset_charts
from components.compare.report.charts.differences import difference_charts
from components.compare.report.charts.frontier import frontier_chart
from components.compare.report.charts.training import training_charts
from components.compare.report.reading import GLOSSARY, reading_notes, share_precision
from components.compare.report.report_rows import ReportRow, absent_variants, report_rows
from components.compare.report.tables import confusions, group_tables, named_table, paired_tests, results_table
from components.dataset.outputs import CLASSIFIED, FOCUS
from components.evaluation.catalogue import CATALOGUE, MAIN, NAMED, TESTED
from components.files import atomic_path

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=jinja2.select_autoescape(("html.j2",)),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= dict(inspect.getmembers(formats, inspect.isfunction))
_ENVIRONMENT.globals |= {
    "catalogue": CATALOGUE,
    "classified": CLASSIFIED.values(),
    "focus": FOCUS,
    "mae_by_bin": MAE_BY_BIN,
    "main_metrics": MAIN.values(),
    "spread_metrics": SPREAD,
    "tested_metrics": TESTED.values(),
}


def write_report(
    comparison: Comparison, html_path: str | os.PathLike[str], markdown_path: str | os.PathLike[str]
) -> None:
    """Write the report and its summary, each atomically."""
    for path, text in ((html_path, render(comparison)), (markdown_path, summarise(comparison))):
        with atomic_path(path) as draft:
            draft.write_text(text, encoding="utf-8")


def render(comparison: Comparison) -> str:
    """Return the report: a self-contained HTML page."""
    content = _content(comparison)
    rows, trained = list(content["rows"].values()), content["trained"]
    preprocess, tests = comparison.dataset.preprocess, paired_tests(comparison)
    seconds = [duration for row in comparison.variants.values() for duration in row.train_seconds_by_seed.values()]
    return _ENVIRONMENT.get_template("report.html.j2").render(
        content,
        calibration_charts=calibration_charts(trained),
        class_charts=class_charts(rows),
        frontier_chart=frontier_chart(rows, set(comparison.recommended.frontier)),
        judged={candidate.variant: candidate for candidate in comparison.recommended.candidates},
        class_tables={metric: named_table(rows, metric) for metric in NAMED.values() if metric.per == FOCUS.name},
        confusions=[(row, confusions(row, rows)) for row in trained],
        age_charts=age_charts(trained, comparison.reference),
        age_table=named_table(trained, MAE_BY_BIN),
        tests=tests,
        difference_charts=difference_charts(content["rows"], tests),
        groups=group_tables(rows),
        dataset_charts=dataset_charts(preprocess.before, preprocess.after),
        training_charts=training_charts(trained),
        training_time=timedelta(seconds=round(sum(seconds))),
        provenance=comparison.provenance.model_dump(mode="json", exclude_none=True),
        precision=share_precision(comparison),
        glossary=GLOSSARY,
    )


def summarise(comparison: Comparison) -> str:
    """Return the report's summary, in Markdown."""
    return _ENVIRONMENT.get_template("report.md.j2").render(_content(comparison))


def _headline(recommended: Recommendation, rows: Mapping[str, ReportRow]) -> tuple[str, str]:
    """Return the report's first line: what it says about a row, and the title of that row."""
    if recommended.variant is None:
        return ("Nothing was learned" if recommended.standing == "nothing learned" else "No recommendation"), ""
    row = rows[recommended.variant]
    if recommended.standing == "kept":
        return "Keep", row.title
    if recommended.standing == "indicated":
        seeds = len(row.facts.seeds)
        return f"Indicated, {'one seed' if seeds == 1 else f'{seeds} seeds'}:", row.title
    return "Ship", row.title


def _shipped(recommended: Recommendation) -> list[str]:
    """Return sentences about the network in the folder ``recommended/``; none where nothing is recommended."""
    if recommended.variant is None:
        return []
    network = f"the network of {recommended.model} with seed {recommended.seed}"
    added = ", and its adjustment in the same graph" if recommended.adjustment else ""
    sentences = [f"{network}{added}."]
    if len(recommended.validation_scores) > 1:
        metric, score = CATALOGUE[recommended.rule.primary_metric], recommended.validation_scores[str(recommended.seed)]
        sentences.append(
            f"Of {len(recommended.validation_scores)} seeds it is the one with the median {metric.phrase} on the "
            f"validation faces, {formats.decimal(score, metric.decimals)}."
        )
    return sentences


def _content(comparison: Comparison) -> dict[str, Any]:
    """Return what both templates show."""
    rows = report_rows(comparison)
    recommended = comparison.recommended
    return {
        "comparison": comparison,
        "dataset": comparison.dataset,
        "recommended": recommended,
        "headline": _headline(recommended, rows),
        "shipped": _shipped(recommended),
        "chosen": rows[recommended.variant] if recommended.variant else None,
        "reference": comparison.reference,
        "confidence": f"{100 * comparison.confidence:g}\u202f%",
        "rows": rows,
        "trained": [row for row in rows.values() if not row.facts.is_posthoc],
        "absent": absent_variants(comparison),
        "results": results_table(comparison, rows),
        "notes": reading_notes(comparison),
        "gates": comparison.gates if comparison.gates and comparison.gates.findings else None,
    }
