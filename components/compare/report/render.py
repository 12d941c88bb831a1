"""The report for people: one HTML file that works offline, and its summary in Markdown."""

import inspect
import math
import os
from collections.abc import Mapping
from pathlib import Path, PurePath
from typing import TYPE_CHECKING, Any

import jinja2
from markupsafe import Markup

from components.compare.contract import Comparison
from components.compare.report import formats
from components.compare.report.answer import find_answer, pair_answer
from components.compare.report.charts.ages import MAE_BY_BIN, SPREAD, age_charts
from components.compare.report.charts.calibration import calibration_charts
from components.compare.report.charts.classes import class_charts, weakest_chart
from components.compare.report.charts.dataset import dataset_charts
from components.compare.report.charts.differences import difference_charts, run_difference_charts
from components.compare.report.charts.flow import flow_chart
from components.compare.report.charts.frontier import frontier_chart
from components.compare.report.charts.training import training_charts
from components.compare.report.charts.tuning import trial_charts
from components.compare.report.policy import content_security_policy, move_styles
from components.compare.report.reading import galleries, glossary, reading_notes, share_precision
from components.compare.report.report_rows import absent_variants, closest_look, leading_rows, report_rows
from components.compare.report.tables import (
    cell_maps,
    confusions,
    group_tables,
    named_table,
    paired_tests,
    results_table,
)
from components.dataset.outputs import FOCUS
from components.evaluation.catalogue import CATALOGUE, MAIN, NAMED, SCALARS, TESTED, Metric, switched_on
from components.files import atomic_path

if TYPE_CHECKING:
    from components.compare.run_pairs import RowChange, RunPair

_TEMPLATES = Path(__file__).parent / "templates"

_MOST_CHANGES = 14
"""Lines of a chart of two runs: more are hard to read."""

_ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader(_TEMPLATES),
    autoescape=jinja2.select_autoescape(("html.j2",)),
    undefined=jinja2.StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters |= dict(inspect.getmembers(formats, inspect.isfunction))
_ENVIRONMENT.globals |= {
    "catalogue": CATALOGUE,
    "focus": FOCUS,
    "mae_by_bin": MAE_BY_BIN,
    "spread_metrics": SPREAD,
}


def write_report(
    comparison: Comparison, html_path: str | os.PathLike[str], markdown_path: str | os.PathLike[str]
) -> None:
    """Write the report and its summary, each atomically."""
    for path, text in ((html_path, render(comparison)), (markdown_path, summarise(comparison))):
        with atomic_path(path) as draft:
            draft.write_text(text, encoding="utf-8")


def render(comparison: Comparison) -> str:
    """Return the report: a self-contained HTML page that may load and run nothing but itself."""
    content = _content(comparison)
    title = f"{comparison.run.name}: {content['answer'].headline}".removeprefix(": ")
    return _page("body.html.j2", title, content | _details(comparison, content))


def render_runs(pair: "RunPair") -> str:
    """Return a page with two runs side by side, as closed as the report; paired where their test faces are the same."""
    runs = {run.name: run.comparison for run in (pair.first, pair.second)}
    labels = pair.first.comparison.dataset.labels
    outputs = {name for run in runs.values() for name in run.dataset.labels.outputs}
    there = [metric for metric in MAIN.values() if metric.output in outputs]
    metrics = sorted(there, key=lambda metric: metric.output != FOCUS.name)
    by_metric = {metric: [change for change in pair.changes if change.metric == metric.name] for metric in metrics}
    lines: dict[str, dict[str, RowChange]] = {}
    for change in pair.changes:
        lines.setdefault(change.row, {})[change.metric] = change
    content = {
        "pair": pair,
        "runs": runs,
        "answers": {name: find_answer(run, report_rows(run)).headline for name, run in runs.items()},
        "metrics": metrics,
        "labels": labels,
        "confidence": f"{100 * pair.confidence:g}\u202f%",
        "told": pair_answer(pair, metrics[0]),
        "lines": lines,
        "charts": run_difference_charts(_told_apart(by_metric), labels) if pair.paired else {},
        "most": _MOST_CHANGES,
    }
    return _page("runs.html.j2", " beside ".join(runs), content)


def _told_apart(by_metric: "Mapping[Metric, list[RowChange]]") -> "dict[Metric, list[RowChange]]":
    """Return what charts show: what is known, and of many rows those that differ most, in their order."""
    shown = {}
    for metric, changes in by_metric.items():
        known = [change for change in changes if change.difference is not None]
        largest = sorted(known, key=lambda change: -abs(change.difference or math.nan))[:_MOST_CHANGES]
        shown[metric] = [change for change in known if change in largest or change is known[0]]
    return shown


def _page(body_template: str, title: str, content: Mapping[str, Any]) -> str:
    """Return a whole page around a body: its policy, its one style sheet and its one script."""
    body, rules = move_styles(_ENVIRONMENT.get_template(body_template).render(content))
    sheet, script = ((_TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js"))
    sheet += f"\n{rules}\n"
    return _ENVIRONMENT.get_template("report.html.j2").render(
        title=title,
        policy=content_security_policy(sheet, script),
        sheet=Markup(sheet),  # noqa: S704 - our own file and rules made of our own attributes
        script=Markup(script),  # noqa: S704 - our own file
        body=Markup(body),  # noqa: S704 - rendered with escapes
    )


def summarise(comparison: Comparison) -> str:
    """Return the report's summary, in Markdown."""
    return _ENVIRONMENT.get_template("report.md.j2").render(_content(comparison))


def _content(comparison: Comparison) -> dict[str, Any]:
    """Return what both templates show."""
    rows = report_rows(comparison)
    recommended, labels = comparison.recommended, comparison.dataset.labels
    return {
        "comparison": comparison,
        "about": comparison.run,
        "dataset": comparison.dataset,
        "classified": labels.classified.values(),
        "main_metrics": switched_on(MAIN, labels).values(),
        "tested_metrics": switched_on(TESTED, labels).values(),
        "several_outputs": len(labels.outputs) > 1,
        "has_age": "age" in labels.outputs,
        "has_gender": "gender" in labels.outputs,
        "recommended": recommended,
        "answer": find_answer(comparison, rows),
        "chosen": rows[recommended.variant] if recommended.variant else None,
        "reference": comparison.reference,
        "confidence": f"{100 * comparison.confidence:g}\u202f%",
        "rows": rows,
        "trained": [row for row in rows.values() if row.facts.is_trained],
        "absent": absent_variants(comparison),
        "results": results_table(comparison, rows),
        "notes": reading_notes(comparison),
        "gates": comparison.gates if comparison.gates and comparison.gates.findings else None,
    }


def _details(comparison: Comparison, content: dict[str, Any]) -> dict[str, Any]:
    """Return what only the page shows: tables, charts, and where each fact comes from."""
    rows, trained, weakest = content["rows"], content["trained"], content["results"].weakest
    listed, has_age, labels = list(rows.values()), content["has_age"], comparison.dataset.labels
    primary = SCALARS[comparison.recommended.rule.primary_metric]
    leading = leading_rows(listed, primary)
    closest = closest_look(listed)
    preprocess, tests = comparison.dataset.preprocess, paired_tests(comparison)
    drawn = {row.name for row in leading}
    tests_drawn = {metric: [test for test in of_metric if test.a in drawn] for metric, of_metric in tests.items()}
    seconds = [duration for row in comparison.variants.values() for duration in row.train_seconds_by_seed.values()]
    return {
        "calibration_charts": calibration_charts(listed),
        "class_charts": class_charts(leading),
        "weakest_chart": weakest_chart(listed, weakest),
        "frontier_chart": frontier_chart(listed, set(comparison.recommended.frontier), labels),
        "judged": {candidate.variant: candidate for candidate in comparison.recommended.candidates},
        "class_tables": {metric: named_table(listed, metric) for metric in NAMED.values() if metric.per == FOCUS.name},
        "cell_maps": cell_maps(comparison, [row for row in listed if row.role != "other"] or closest),
        "confusions": [(row, confusions(row, listed)) for row in trained],
        "closest": closest,
        "leading": leading,
        "age_charts": age_charts(trained, comparison.reference, comparison.recommended.model, labels)
        if has_age
        else None,
        "age_table": named_table(trained, MAE_BY_BIN) if has_age else [],
        "tests": tests,
        "difference_charts": difference_charts(rows, tests_drawn, labels),
        "groups": group_tables(listed),
        "gallery_words": galleries(labels),
        "dataset_charts": dataset_charts(preprocess.before, preprocess.after, labels),
        "flow_chart": flow_chart(comparison.dataset),
        "trial_charts": trial_charts(comparison.tuning.history),
        "training_charts": training_charts(trained, comparison.provenance.training.model.age_target),
        "training_seconds": sum(seconds),
        "provenance": _without_folders(comparison.provenance.model_dump(mode="json", exclude_none=True)),
        "precision": share_precision(comparison),
        "glossary": glossary(labels),
    }


def _without_folders(facts: Any) -> Any:
    """Return facts with the last part of every path on a disk: a report goes to other machines and people."""
    if isinstance(facts, dict):
        return {key: _without_folders(value) for key, value in facts.items()}
    return PurePath(facts).name if isinstance(facts, str) and PurePath(facts).is_absolute() else facts
