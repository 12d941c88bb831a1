"""The tables, with their best or worst values marked, and the confusion matrices."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from components.compare.contract import Comparison, Interval, Metrics, Number, PairedTestFacts, Scalar, Verdict
from components.compare.report.report_rows import ReportRow
from components.dataset.outputs import CLASSIFIED, FOCUS, Output
from components.evaluation.catalogue import CATALOGUE, GROUPED, MAIN, NAMED, TESTED, Metric, switched_on

_DECIDING = MAIN[f"{FOCUS.name}_{FOCUS.metric}"]

_FOCUS_RECALL = NAMED[f"{FOCUS.name}_recall"]


@dataclass(frozen=True)
class Cell:
    """One metric of one row: its value, and whether it is the best of its column and the worst of its row."""

    metric: Metric
    interval: Interval
    is_best: bool
    is_worst: bool


@dataclass(frozen=True)
class Line:
    """One line of a table."""

    row: ReportRow
    cells: list[Cell]


@dataclass(frozen=True)
class ResultsTable:
    """The table of results.

    Attributes:
        columns: Title of each column, with its metric.
        dummy: Cells of the dummy predictor.
        weakest: The class with the reference's lowest recall, which is the second column.
        verdicts: Verdict against the reference, by names of row and metric.
    """

    columns: list[tuple[str, Metric]]
    lines: list[Line]
    dummy: list[tuple[Metric, Interval]]
    weakest: str
    verdicts: dict[tuple[str, str], Verdict]


@dataclass(frozen=True)
class MapCell:
    """One metric in one cell: its value, how dark it is drawn (0 to 1), its test faces, and if training saw such."""

    value: Number
    level: float
    faces: int
    is_seen: bool


@dataclass(frozen=True)
class CellMap:
    """One metric of one row for one gender: cells by class of the focus, a cell per age bin, and their decimals.

    The gender is None where it is switched off.
    """

    row: ReportRow
    gender: str | None
    lines: dict[str, list[MapCell]]
    places: int


@dataclass(frozen=True)
class Confusion:
    """One confusion matrix: faces by predicted class, for each true class."""

    row: ReportRow
    output: Output
    counts: dict[str, list[int]]


def results_table(comparison: Comparison, rows: Mapping[str, ReportRow]) -> ResultsTable:
    """Return the main metric of every output, and the recall of the class where the reference's is lowest.

    What decides comes first: on a narrow screen it is all that is seen at once.
    """
    main = switched_on(MAIN, comparison.dataset.labels)
    ordered = sorted(main.values(), key=lambda metric: metric is not _DECIDING)
    judge = rows[comparison.reference] if comparison.reference in rows else next(iter(rows.values()))
    recalls = judge.facts.intervals[_FOCUS_RECALL.name]
    weakest = min(recalls, key=lambda name: math.inf if (value := recalls[name].value) is None else value)

    def intervals(facts: Metrics) -> list[Interval]:
        recall = Scalar(**dict(facts.named(_FOCUS_RECALL, weakest)))
        deciding, *others = (facts.scalar(metric) for metric in ordered)
        return [deciding, recall, *others]

    columns = [(metric.title, metric) for metric in ordered]
    columns.insert(1, (_FOCUS_RECALL.title.replace(FOCUS.title, weakest), _FOCUS_RECALL))
    metrics = [metric for _, metric in columns]
    return ResultsTable(
        columns=columns,
        lines=_lines(list(rows.values()), [intervals(row.facts) for row in rows.values()], metrics),
        dummy=list(zip(metrics, intervals(comparison.dummy), strict=True)),
        weakest=weakest,
        verdicts={(test.a, test.metric): test.verdict for test in comparison.paired},
    )


def named_table(rows: Sequence[ReportRow], metric: Metric) -> list[Line]:
    """Return one metric of every row, a column per class or age bin."""
    intervals = [list(row.facts.intervals[metric.name].values()) for row in rows]
    return _lines(rows, intervals, [metric] * len(intervals[0]))


def group_tables(rows: Sequence[ReportRow]) -> list[tuple[Metric, list[Line]]]:
    """Return a table per metric, a column per gender × ethnicity group; first one of each output, the focus leading."""
    grouped = [GROUPED[name] for name in rows[0].facts.groups]
    leading = {metric.output: metric for metric in reversed(grouped)}
    metrics = sorted(grouped, key=lambda metric: (metric is not leading[metric.output], metric.output != FOCUS.name))
    tables = []
    for metric in metrics:
        shown = [row for row in rows if row.facts.changes(metric)]
        intervals = [list(row.facts.groups[metric.name].by_group.values()) for row in shown]
        tables.append((metric, _lines(shown, intervals, [metric] * len(intervals[0]))))
    return tables


def cell_maps(comparison: Comparison, rows: Sequence[ReportRow]) -> dict[Metric, list[CellMap]]:
    """Return maps of every gender × class × age-bin cell by metric.

    There are none where the comparison has no such numbers, or where a cell is nothing but a class.
    """
    labels, cells = comparison.dataset.labels, comparison.dataset.cells
    places = np.arange(labels.cell_count).reshape(labels.cell_shape).tolist()
    classes = labels.names(FOCUS.name)
    genders: Sequence[str | None] = labels.genders if "gender" in labels.outputs else [None]
    maps: dict[Metric, list[CellMap]] = {}
    if len(labels.cell_columns) == 1:
        return maps  # The cells are the classes.
    for name in rows[0].facts.cells:
        shown = [row for row in rows if row.facts.cells]
        known = [value for row in shown for value in row.facts.cells[name] if value is not None]
        largest = max(known, default=1.0) if CATALOGUE[name].is_age else 1.0

        places_shown = (1 if largest < 100 else 0) if CATALOGUE[name].is_age else 2

        def cell(row: ReportRow, place: int, name: str = name, largest: float = largest) -> MapCell:
            value = row.facts.cells[name][place]
            level = (value or 0.0) / (largest or 1.0)
            return MapCell(value, level, cells[place].test, cells[place].train > 0)

        maps[CATALOGUE[name]] = [
            CellMap(
                row,
                gender,
                {group: [cell(row, at) for at in line] for group, line in zip(classes, block, strict=True)},
                places_shown,
            )
            for row in shown
            for gender, block in zip(genders, places, strict=True)
        ]
    return maps


def confusions(row: ReportRow, rows: Sequence[ReportRow]) -> list[Confusion]:
    """Return the confusion matrices of a trained variant, and below them those that its post-hoc row changes."""
    matrices = []
    for owner in (row, *(adjusted for adjusted in rows if adjusted.facts.derived_from == row.name)):
        for output in (CLASSIFIED[name] for name in owner.facts.calibration):
            recall = NAMED[f"{output.name}_recall"]
            if owner.facts.changes(recall):
                counts = dict(zip(owner.facts.intervals[recall.name], owner.facts.confusion(output), strict=True))
                matrices.append(Confusion(owner, output, counts))
    return matrices


def paired_tests(comparison: Comparison) -> dict[Metric, list[PairedTestFacts]]:
    """Return the tests of each metric that was tested."""
    tested = {test.metric for test in comparison.paired}
    metrics = [metric for metric in TESTED.values() if metric.name in tested]
    return {metric: [test for test in comparison.paired if test.metric == metric.name] for metric in metrics}


def _lines(rows: Sequence[ReportRow], intervals: Sequence[Sequence[Interval]], metrics: Sequence[Metric]) -> list[Line]:
    """Return lines of ``intervals``, one per row, each with a cell for each of ``metrics``."""
    values = np.array([[interval.value for interval in line] for line in intervals], np.float64)
    badness = np.array([metric.better.badness(column) for metric, column in zip(metrics, values.T, strict=True)]).T
    known = np.isfinite(badness)
    best = (badness == badness.min(axis=0, initial=np.inf, where=known)) & (known.sum(axis=0) > 1)
    worst = badness == badness.max(axis=1, keepdims=True, initial=-np.inf, where=known)
    worst &= known.sum(axis=1, keepdims=True) > 1
    lines = zip(rows, intervals, best.tolist(), worst.tolist(), strict=True)
    return [Line(row, [Cell(*cell) for cell in zip(metrics, *marks, strict=True)]) for row, *marks in lines]
