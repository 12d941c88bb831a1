"""The sentences that say why a row is recommended, or why the reference stays."""

from collections.abc import Sequence

from components.compare.contract import Candidate, Choice, Differences, GuardMargin, Interval, PairedTestFacts, Row
from components.compare.settings import RecommendationSettings
from components.dataset.outputs import FOCUS
from components.evaluation.catalogue import CATALOGUE, SCALARS

NATURAL = f"{FOCUS.name}_accuracy"
"""Metric by which the cost in the natural population is told."""


def why_the_reference(
    reference: str, candidates: list[Candidate], choice: Choice | None, settings: RecommendationSettings
) -> str:
    """Say why no variant passes."""
    metric = phrase(settings.primary_metric)
    if not candidates:
        return f"{reference} is the only variant with results."
    judged = [candidate for candidate in candidates if candidate.chosen]
    if judged:
        reasons = "; ".join(
            f"{candidate.variant} was chosen on the validation faces, but {_shortcomings(candidate, metric, settings)}"
            for candidate in judged
        )
        return f"{reference} stays: {reasons}."
    if choice is not None:
        return f"{reference} stays: on the validation faces no variant that may be chosen is more useful."
    return _why_none_passed(reference, candidates, metric)


def _why_none_passed(reference: str, candidates: list[Candidate], metric: str) -> str:
    """Say why no row passes, where all were judged."""
    unsafe = _by_gain([candidate for candidate in candidates if candidate.better])
    if unsafe:
        reasons = "; ".join(f"{candidate.variant} ({_failure(candidate)})" for candidate in unsafe)
        return f"{reference} stays: each variant that is significantly better in {metric} is ruled out: {reasons}."
    fickle = [candidate.variant for candidate in candidates if candidate.significant and candidate.gain > 0]
    if fickle:
        return (
            f"{reference} stays: {', '.join(fickle)} gained in {metric} over all seeds but not in each of them, "
            f"so the gain may be due to the seed."
        )
    worse = [candidate.variant for candidate in candidates if candidate.significant]
    if worse:
        return (
            f"{reference} stays: no variant is significantly better in {metric}, "
            f"and {', '.join(worse)} {'is' if len(worse) == 1 else 'are'} significantly worse."
        )
    tested = [candidate.p for candidate in candidates if candidate.p is not None]
    smallest = f" (smallest adjusted p = {min(tested):.2g})" if tested else ""
    return f"No variant is distinguishable from {reference} in {metric}{smallest}."


def _shortcomings(chosen: Candidate, metric: str, settings: RecommendationSettings) -> str:
    """Say which conditions the row that was judged does not meet."""
    reasons = []
    if not chosen.better:
        if chosen.significant and chosen.gain > 0:
            reasons.append(f"its gain in {metric} on the test set is not there in every seed")
        else:
            p = "" if chosen.p is None else f", adjusted p = {chosen.p:.2g}"
            reasons.append(f"its gain in {metric} on the test set is not significant ({chosen.gain:+.3f}{p})")
    if not chosen.safe:
        reasons.append(f"it is not safe: {_failure(chosen)}")
    if not reasons and not settings.posthoc:
        reasons.append("the settings rule out post-hoc rows")
    return " and ".join(reasons)


def _by_gain(candidates: list[Candidate]) -> list[Candidate]:
    """Candidates, the largest gain first."""
    return sorted(candidates, key=lambda candidate: -candidate.gain)


def _failure(candidate: Candidate) -> str:
    """Which guard a better candidate fails most, or that its kind is not allowed."""
    failed = [guard for guard in candidate.guards if not guard.holds]
    if not failed:
        return "the settings rule out post-hoc rows"
    worst = max(failed, key=lambda guard: (guard.loss or 0.0) / max(guard.margin, 1e-9))
    name = guard_name(worst)
    if worst.loss is None:
        return f"{name} is undefined"
    return f"{name} is worse by {worst.loss:.3g}, {worst.low:.3g} to {worst.high:.3g}; margin {worst.margin:g}"


def why_the_best(
    judged: Candidate,
    row: Row,
    test: PairedTestFacts,
    similar: list[str],
    candidates: Sequence[Candidate],
    choice: Choice | None,
    settings: RecommendationSettings,
) -> str:
    """Say how it was chosen, what it gains, and what a reader must know before shipping."""
    metric, best = SCALARS[settings.primary_metric], judged.variant
    seeds = f"{len(test.seeds)} seed{'s' if len(test.seeds) > 1 else ''}"
    guards = {
        "significant": "no guard is shown to fail",
        "estimate": "no guard's estimated loss exceeds its margin",
        "demonstrated": "every guard is shown to hold",
    }[settings.guard_evidence]
    if settings.chosen_on == "validation":
        how = "Chosen on the validation faces and judged on the test set"
    else:
        how = f"Chosen among {len(candidates)} rows on the test set itself"
    sentences = [
        f"{how}, {best} has {phrase(metric.name)} {row.scalar(metric).value:.3f}, "
        f"{test.difference:+.3f} ({test.low:+.3f} to {test.high:+.3f}) against {test.b}, "
        f"adjusted p = {judged.p:.2g}, {seeds}; {guards}."
    ]
    if len(test.seeds) < settings.min_seeds:
        sentences.append(
            f"It is indicated, not recommended: {seeds} can't tell the cure's gain from the seed's; "
            f"the rule asks for {settings.min_seeds}."
        )
    if choice is not None and len(choice.tied) > 1:
        others = ", ".join(name for name in choice.tied if name != best)
        sentences.append(
            f"In that metric it can't be told apart from {others} there; over all outputs it is worth more."
        )
    if settings.chosen_on == "validation":
        sentences += [
            f"{candidate.variant} came before it, but {_failure(candidate)}."
            for candidate in candidates
            if candidate.chosen and candidate.variant != best
        ]
    if judged.dominated_by is not None:
        sentences.append(f"On the test set {judged.dominated_by} is at least as good in every output.")
    if settings.chosen_on == "test" and len(candidates) > 1:
        refused = [candidate for candidate in _by_gain(list(candidates)) if candidate.better and not candidate.eligible]
        sentences += [f"{candidate.variant} gained too, but {_failure(candidate)}." for candidate in refused]
        sentences.append("Its gain is somewhat optimistic, because the same faces chose it.")
    sentences += _costs(row.difference_to_reference) if row.difference_to_reference else []
    if row.is_ensemble:
        sentences.append(
            f"It is one model that averages the answers of the {len(row.seeds)} networks of {row.averaged}, and takes "
            f"{len(row.seeds)} times their time and room."
        )
    if row.is_adjusted:
        sentences.append(
            f"It is the model of {row.derived_from} with its {FOCUS.name} probabilities adjusted afterwards "
            f"(tau = {row.tau:g})."
        )
    if similar:
        sentences.append(f"On the test set it can't be told apart from {', '.join(similar)}.")
    return " ".join(sentences)


def _costs(difference: Differences) -> list[str]:
    """Say what the gain costs: the largest loss of a class's recall, if shown, and in the natural population."""
    recalls = difference.by_name(CATALOGUE[f"{FOCUS.name}_recall"])
    losses = [(f"{name} recall", recall) for name, recall in recalls.items() if _is_below_zero(recall)]
    shown = sorted(losses, key=lambda loss: (loss[1].value or 0.0, loss[0]))[:1]
    sentences = [f"It costs {name} {_span(loss)}." for name, loss in shown]
    natural = difference.natural.get(NATURAL)
    if natural is not None and natural.value is not None:
        sentences.append(f"In the natural population its {FOCUS.name} accuracy changes by {_span(natural)}.")
    return sentences


def _span(interval: Interval) -> str:
    return f"{interval.value:+.3f} ({interval.low:+.3f} to {interval.high:+.3f})"


def _is_below_zero(interval: Interval) -> bool:
    return interval.high is not None and interval.high < 0


def phrase(metric: str) -> str:
    """Return a metric's name, inside a sentence."""
    return CATALOGUE[metric].phrase


def guard_name(guard: GuardMargin) -> str:
    """Return the name of a guard, inside a sentence."""
    return f"{phrase(guard.metric)}{' of the worst group' if guard.is_worst_group else ''}"
