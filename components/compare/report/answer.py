"""The answer, in the words of someone who decides: what to do, how sure that is, what it costs whom, what users see."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from components.compare.contract import Comparison, Interval, PairedTestFacts, Recommendation
from components.compare.report.formats import count, decimal, in_sentence, p_value, span
from components.compare.report.report_rows import ReportRow
from components.dataset.outputs import FOCUS, OUTPUTS
from components.evaluation.catalogue import CATALOGUE, MAIN, NAMED, SCALARS, Better, Metric, switched_on

if TYPE_CHECKING:
    from components.compare.run_pairs import RunPair

_RECALL = CATALOGUE[f"{FOCUS.name}_recall"]

_NAMED_RIVALS = 3
"""Rows that are named among those that can't be told apart from the recommended one."""


@dataclass(frozen=True)
class Headline:
    """The answer in one line: words before the name of a model, the name, words after it."""

    before: str
    name: str = ""
    after: str = ""

    def __str__(self) -> str:
        """Return the whole line."""
        return " ".join(filter(None, (self.before, self.name))) + self.after


@dataclass(frozen=True)
class Answer:
    """What a decision rests on, in sentences by the question that they answer."""

    headline: Headline
    points: dict[str, list[str]]


def find_answer(comparison: Comparison, rows: Mapping[str, ReportRow]) -> Answer:
    """Return the answer of a comparison."""
    recommended = comparison.recommended
    if recommended.variant is None:
        return Answer(_headline(recommended, rows), {"Why": [recommended.because]})
    chosen = rows[recommended.variant]
    points = {
        "How sure it is": list(_sureness(comparison, chosen, rows)),
        "What it costs whom": [*_costs(comparison, chosen), *_worst_served(comparison, chosen)],
        "What users would see": list(_users(comparison, chosen, rows.get(comparison.reference))),
        "What there is to try" if recommended.standing == "indicated" else "What to ship": _shipped(recommended),
    }
    return Answer(_headline(recommended, rows), points)


def pair_answer(pair: "RunPair", metric: Metric) -> str:
    """Say whether what the second of two runs leads to is better in a metric than what the first does."""
    ours, theirs = (run.comparison.recommended.variant for run in (pair.first, pair.second))
    row = ours if ours == theirs else f"{ours} → {theirs}"
    change = next((change for change in pair.changes if (change.row, change.metric) == (row, metric.name)), None)
    if change is None or change.difference is None or change.low is None or change.high is None:
        return ""
    told = f"{decimal(change.difference, metric.decimals, True)} ({span(change, metric.decimals, True)})"
    verdict = {"no difference shown": "is not told apart from", "better": "is better than", "worse": "is worse than"}
    return (
        f"In {metric.phrase}, what the second run leads to ({theirs}) {verdict[change.verdict]} what the first does "
        f"({ours}): {told}."
    )


def _headline(recommended: Recommendation, rows: Mapping[str, ReportRow]) -> Headline:
    if recommended.variant is None:
        return Headline("Nothing was learned" if recommended.standing == "nothing learned" else "No recommendation")
    row = rows[recommended.variant]
    trained = rows.get(row.facts.derived_from or "", row)
    name = f"{in_sentence(trained.title)} model"
    adjusted = ", adjusted after training" if row.facts.is_adjusted else ""
    if row.facts.is_ensemble:
        adjusted += f", {len(row.facts.seeds)} networks averaged"
    if recommended.standing == "kept":
        return Headline("Keep the", name, adjusted)
    if recommended.standing == "indicated":
        seeds = len(row.facts.seeds)
        doubt = "one seed is" if seeds == 1 else f"{seeds} seeds are"
        aside = f"{adjusted}," if adjusted else ""
        return Headline("Don’t ship yet: the", name, f"{aside} leads, but {doubt} too few to be sure")
    return Headline("Ship the", name, adjusted)


def _sureness(comparison: Comparison, chosen: ReportRow, rows: Mapping[str, ReportRow]) -> Iterator[str]:
    recommended, metric = comparison.recommended, SCALARS[comparison.recommended.rule.primary_metric]
    tests = {test.a: test for test in comparison.paired if test.metric == metric.name}
    confidence = f"{100 * comparison.confidence:g}\u202f%"
    if recommended.standing == "kept":
        rival = max(tests.values(), key=lambda test: metric.better.gain(test.difference or 0.0), default=None)
        if rival is None:
            yield "It is the only model with results."
            return
        yield (
            f"Of {count(len(tests))} rows compared with it, none passes the rule. The best in {metric.phrase} is "
            f"{in_sentence(rows[rival.a].title)}: {_told(rival, metric)} ({confidence} interval)."
        )
        return
    test = tests.get(chosen.name)
    if test is None:
        return
    seeds = len(test.seeds)
    over = "one seed" if seeds == 1 else f"{seeds} seeds"
    yield (
        f"Its {metric.phrase} is {decimal(abs(test.difference or 0.0), metric.decimals)}"
        f"{_unit(metric, comparison)} {_direction(metric)} than that of {comparison.reference}: "
        f"{span(test, metric.decimals, True)} with {confidence} confidence, on {count(test.faces)} test faces and "
        f"{over}."
    )
    judged = next((each for each in recommended.candidates if each.variant == chosen.name), None)
    if judged is not None and judged.p is not None:
        yield f"Chance alone would show a difference as large with p = {p_value(judged.p)}, adjusted."
    choice = recommended.choice
    if choice is not None and (tied := [name for name in choice.tied if name != chosen.name]):
        named = ", ".join(tied[:_NAMED_RIVALS])
        more = f" and {len(tied) - _NAMED_RIVALS} more" if len(tied) > _NAMED_RIVALS else ""
        yield (
            f"In that metric alone it can’t be told apart from {named}{more} on the {choice.on} faces; it "
            "leads because it is worth more over all outputs."
        )
    if recommended.standing == "indicated":
        yield f"The rule asks for {recommended.rule.min_seeds} seeds: training again may move the numbers."


def _unit(metric: Metric, comparison: Comparison) -> str:
    """Return a metric's unit as it follows a number."""
    return f" {unit}" if (unit := metric.unit(comparison.dataset.labels)) else ""


def _direction(metric: Metric) -> str:
    return "lower" if metric.better is Better.LOWER else "higher"


def _told(test: PairedTestFacts | Interval, metric: Metric) -> str:
    value = test.difference if isinstance(test, PairedTestFacts) else test.value
    ends = span(test, metric.decimals, True)
    return f"{decimal(value, metric.decimals, True)}{f' ({ends})' if ends else ''}"


def _costs(comparison: Comparison, chosen: ReportRow) -> Iterator[str]:
    """Say which classes and outputs lose and gain, if shown."""
    difference = chosen.facts.difference_to_reference
    if difference is not None:
        recalls = difference.by_name(_RECALL)
        losers = {name: recall for name, recall in recalls.items() if recall.high is not None and recall.high < 0}
        winners = {name: recall for name, recall in recalls.items() if recall.low is not None and recall.low > 0}
        for name, recall in losers.items():
            yield f"{name} faces are recognised less often: recall {_told(recall, _RECALL)}."
        if not losers:
            name, recall = min(recalls.items(), key=lambda entry: entry[1].value or 0.0)
            if (recall.value or 0.0) < 0:
                yield f"No class is shown to lose; the most may be {name} recall, {_told(recall, _RECALL)}."
            else:
                yield "No class loses recall."
        if winners:
            now = {name: decimal(chosen.facts.named(_RECALL, name).value, 2) for name in winners}
            gains = "; ".join(f"{name} {_told(recall, _RECALL)}, to {now[name]}" for name, recall in winners.items())
            yield f"Recall gained: {gains}."
        for metric in switched_on(MAIN, comparison.dataset.labels).values():
            overall = difference.overall(metric)
            if metric.output == FOCUS.name or overall.may_be_zero or not chosen.facts.changes(metric):
                continue
            verb = "gains" if metric.better.gain(overall.value or 0.0) > 0 else "pays"
            changed = f"{metric.phrase} {_told(overall, metric)}{_unit(metric, comparison)}"
            yield f"The {OUTPUTS[metric.output].title.lower()} {verb}: {changed}."


def _worst_served(comparison: Comparison, chosen: ReportRow) -> Iterator[str]:
    """Say which group and which ages get the worst answers."""
    worst = chosen.facts.groups[_RECALL.name].worst
    if worst.value is not None:
        yield f"Served worst: {worst.group}, with a recall of {decimal(worst.value, 2)} ({span(worst, 2)})."
    for output in (each for each in comparison.dataset.labels.outputs.values() if not each.is_classified):
        metric = NAMED[f"{output.name}_mae_by_bin"]
        errors = chosen.facts.intervals[metric.name]
        bin_name, error = max(errors.items(), key=lambda entry: entry[1].value or 0.0)
        if error.value is not None:
            yield (
                f"The {output.name} is furthest off at {bin_name}: by {decimal(error.value, 1)}"
                f"{_unit(metric, comparison)} on average ({span(error, 1)})."
            )


def _users(comparison: Comparison, chosen: ReportRow, reference: ReportRow | None) -> Iterator[str]:
    """Say what the row does in the natural population, beside the reference."""
    parts = []
    for output in comparison.dataset.labels.outputs.values():
        metric = SCALARS[f"{output.name}_{'accuracy' if output.is_classified else 'mae'}"]
        ours = _natural(chosen, metric)
        theirs = None if reference is None or reference is chosen else _natural(reference, metric)
        if ours is None:
            continue
        beside = f" ({reference.name}: {theirs})" if reference is not None and theirs is not None else ""
        if output.is_classified:
            parts.append(f"the {output.name} is right for {ours} of 100 faces{beside}")
        else:
            parts.append(f"the {output.name} is {ours}{_unit(metric, comparison)} off on average{beside}")
    if parts:
        told = ", ".join(parts[:-1]) + (" and " if len(parts) > 1 else "") + parts[-1]
        yield f"Among people as in the data: {told}."
    natural = comparison.recommended.natural
    if natural is not None and natural.value is not None:
        doubt = ", which may be nothing" if natural.may_be_zero else ""
        told = f"{decimal(natural.value, 3, True)} ({span(natural, 3, True)})"
        yield f"The {FOCUS.name} accuracy there changes by {told}{doubt}."


def _natural(row: ReportRow, metric: Metric) -> str | None:
    value = row.facts.natural[metric.name].value
    if value is None:
        return None
    return decimal(value, 1) if metric.is_age else decimal(100 * value, 0)


def _shipped(recommended: Recommendation) -> list[str]:
    """Return sentences about the network in the folder ``recommended/``."""
    if recommended.members:
        seeds = ", ".join(recommended.members)
        adjusted = ", each adjusted," if any(recommended.members.values()) else ""
        times = len(recommended.members)
        return [
            f"The folder recommended/ of this run: one model that averages the answers of the {times} networks of "
            f"{recommended.model} with seeds {seeds}{adjusted} in its graph.",
            f"It takes {times} times the time and the room of one network.",
        ]
    added = ", and its adjustment in the same graph" if recommended.adjustment else ""
    sentences = [
        f"The folder recommended/ of this run: the network of {recommended.model} with seed {recommended.seed}{added}."
    ]
    if len(recommended.validation_scores) > 1:
        metric, score = CATALOGUE[recommended.rule.primary_metric], recommended.validation_scores[str(recommended.seed)]
        sentences.append(
            f"Of {len(recommended.validation_scores)} seeds it is the one with the median {metric.phrase} on the "
            f"validation faces, {decimal(score, metric.decimals)}."
        )
    return sentences
