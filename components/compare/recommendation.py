"""The rule that recommends a variant and says why.

The rule, with the names of :class:`~components.compare.settings.RecommendationSettings`:

1. A variant is *better* when its gain over the reference in ``primary_metric`` has a p-value,
   adjusted for all comparisons of the report, of at most ``significance``, and (``every_seed``) the
   same sign in every common seed.
2. It is *safe* when its loss against the reference stays within ``margins`` for every other metric
   listed there, overall and in the worst gender × ethnicity group; ``guard_evidence`` says how the
   uncertainty of the loss counts.
3. Of the variants that are better and safe, the one with the largest gain is recommended; a trained
   one that can't be told apart from it takes precedence over a post-hoc row, which the saved model does not
   serve. If there is none, the reference is recommended.
"""

from collections.abc import Callable, Mapping, Sequence

from components.compare.contract import (
    Adjustment,
    Candidate,
    Differences,
    Guard,
    GuardMargin,
    Interval,
    PairedTestFacts,
    Recommendation,
    Row,
    Rule,
)
from components.compare.settings import RecommendationSettings
from components.dataset.outputs import FOCUS
from components.evaluation.catalogue import CATALOGUE, SCALARS, Better

_WORST = "worst group"


def recommend(
    rows: Mapping[str, Row],
    paired: Sequence[PairedTestFacts],
    reference: str,
    settings: RecommendationSettings,
    between: Callable[[str, str], Interval],
) -> Recommendation:
    """Apply the rule.

    Args:
        rows: Rows of the comparison by name, trained and post-hoc.
        paired: The report's tests.
        reference: Name of the variant that the others are compared with.
        settings: The rule's settings.
        between: The paired interval of the primary metric between two rows, the first minus the second.

    Returns:
        The recommended row, the outcome of each condition for every other row, and the other safe and
        better rows whose difference from the recommended one may be zero.
    """
    rule = describe_rule(reference, settings)
    if reference not in rows:
        return Recommendation(
            variant=None,
            because=f"The reference {reference} has no results, so no variant can be compared with it: "
            "add it to the variants and run again.",
            kind=None,
            model=None,
            deployable=False,
            adjustment=None,
            rule=rule,
            candidates=[],
            indistinguishable=[],
        )
    tests = {(test.a, test.b): test for test in paired if test.metric == settings.primary_metric}
    candidates = [
        _candidate(name, row, rows[reference], tests.get((name, reference)), settings)
        for name, row in rows.items()
        if name != reference
    ]
    eligible = _by_gain([candidate for candidate in candidates if candidate.eligible])
    variant = _preferred(eligible, between) if eligible else reference
    others = [candidate.variant for candidate in eligible if candidate.variant != variant]
    similar = [name for name in others if between(variant, name).may_be_zero]
    row = rows[variant]
    if eligible:
        because = _why_the_best(variant, row, tests[variant, reference], similar, candidates, settings)
    else:
        because = _why_the_reference(reference, candidates, settings)
    return Recommendation(
        variant=variant,
        because=because,
        kind=row.kind,
        model=row.derived_from or variant,
        deployable=not row.is_posthoc,
        adjustment=None if row.tau is None else Adjustment(tau=row.tau, class_priors=row.class_priors),
        rule=rule,
        candidates=candidates,
        indistinguishable=similar,
    )


def _by_gain(candidates: list[Candidate]) -> list[Candidate]:
    """Candidates, the largest gain first."""
    return sorted(candidates, key=lambda candidate: -candidate.gain)


def _preferred(eligible: Sequence[Candidate], between: Callable[[str, str], Interval]) -> str:
    """The row with the largest gain, or, if that is post-hoc, the best trained one that may equal it."""
    largest = eligible[0]
    if largest.kind != "posthoc":
        return largest.variant
    trained = (candidate.variant for candidate in eligible if candidate.kind != "posthoc")
    return next((name for name in trained if between(largest.variant, name).may_be_zero), largest.variant)


def describe_rule(reference: str, settings: RecommendationSettings) -> Rule:
    """Return the rule as settings and as text."""
    guards = _margins(settings)
    evidence = {
        "significant": "the whole interval of its loss is beyond the margin",
        "estimate": "its estimated loss is beyond the margin",
        "demonstrated": "the interval of its loss reaches beyond the margin",
    }[settings.guard_evidence]
    margins = ", ".join(f"{_guard_name(guard)} {guard.margin:g}" for guard in guards)
    text = (
        f"The rule recommends the variant with the largest gain over {reference} in "
        f"{_phrase(settings.primary_metric)}, among those whose gain is significant (p, adjusted by Holm for "
        f"all comparisons of the report, at most {settings.significance:g})"
        f"{' and of the same sign in every common seed' if settings.every_seed else ''}, and whose loss stays within "
        f"the margin of every guard: {margins}. "
        f"A guard fails when {evidence}. A trained variant that can't be told apart from the best one "
        f"takes precedence over a post-hoc row. If no variant passes, {reference} stays."
    )
    return Rule(**settings.model_dump(exclude={"margins"}), guards=guards, text=text)


def _margins(settings: RecommendationSettings) -> list[GuardMargin]:
    """The guarded metrics: the primary metric needs a guard only in the worst group."""
    return [
        GuardMargin(metric=name, scope=_WORST if is_worst else "overall", margin=margin)
        for name, is_worst, margin in settings.margins.guards()
        if is_worst or name != settings.primary_metric
    ]


def _candidate(
    name: str, row: Row, reference: Row, test: PairedTestFacts | None, settings: RecommendationSettings
) -> Candidate:
    """Check one row against every condition of the rule."""
    metric = SCALARS[settings.primary_metric]
    gain = metric.better.gain(test.difference) if test and test.difference is not None else 0.0
    p_adjusted = test.p_adjusted if test else None
    significant = p_adjusted is not None and p_adjusted <= settings.significance
    ours, theirs = row.scalar(metric).by_seed, reference.scalar(metric).by_seed
    gains = [metric.better.gain((ours[seed] or 0.0) - (theirs[seed] or 0.0)) for seed in ours if seed in theirs]
    # One seed can't contradict itself.
    consistent = len({(gained > 0) - (gained < 0) for gained in gains}) == 1 if len(gains) > 1 else None
    guards = _guards(row.difference_to_reference, settings) if row.difference_to_reference else []
    better = gain > 0 and significant and (consistent is not False or not settings.every_seed)
    safe = all(guard.holds for guard in guards)
    return Candidate(
        variant=name,
        kind=row.kind,
        gain=gain,
        p_adjusted=p_adjusted,
        significant=significant,
        consistent_over_seeds=consistent,
        better=better,
        guards=guards,
        safe=safe,
        eligible=better and safe and (settings.posthoc or not row.is_posthoc),
    )


def _guards(difference: Differences, settings: RecommendationSettings) -> list[Guard]:
    """The loss of a row in each guarded metric, with its interval, and whether it is tolerated."""
    guards = []
    for guard in _margins(settings):
        metric = CATALOGUE[guard.metric]
        interval = difference.worst_group[metric.name] if guard.scope == _WORST else difference.overall(metric)
        loss, low, high = interval.value, interval.low, interval.high
        if metric.better is not Better.LOWER:
            loss, low, high = _minus(loss), _minus(high), _minus(low)
        weighed = {"significant": low, "estimate": loss, "demonstrated": high}[settings.guard_evidence]
        # What can't be computed can't be shown to be safe.
        holds = None not in (loss, low, high) and weighed is not None and weighed <= guard.margin
        guards.append(Guard(**dict(guard), loss=loss, low=low, high=high, holds=holds))
    return guards


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _why_the_reference(reference: str, candidates: list[Candidate], settings: RecommendationSettings) -> str:
    """One sentence for the case where no variant passes."""
    metric = _phrase(settings.primary_metric)
    if not candidates:
        return f"{reference} is the only variant with results."
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
    tested = [candidate.p_adjusted for candidate in candidates if candidate.p_adjusted is not None]
    smallest = f" (smallest adjusted p = {min(tested):.2g})" if tested else ""
    return f"No variant is distinguishable from {reference} in {metric}{smallest}."


def _failure(candidate: Candidate) -> str:
    """Which guard a better candidate fails most, or that its kind is not allowed."""
    failed = [guard for guard in candidate.guards if not guard.holds]
    if not failed:
        return "the settings rule out post-hoc rows"
    worst = max(failed, key=lambda guard: (guard.loss or 0.0) / max(guard.margin, 1e-9))
    name = _guard_name(worst)
    if worst.loss is None:
        return f"{name} is undefined"
    return f"{name} is worse by {worst.loss:.3g}, {worst.low:.3g} to {worst.high:.3g}; margin {worst.margin:g}"


def _why_the_best(
    best: str,
    row: Row,
    test: PairedTestFacts,
    similar: list[str],
    candidates: Sequence[Candidate],
    settings: RecommendationSettings,
) -> str:
    """One sentence on the gain, and one each on what a reader must know before shipping."""
    metric = SCALARS[settings.primary_metric]
    seeds = f"{len(test.seeds)} seed{'s' if len(test.seeds) > 1 else ''}"
    guards = {
        "significant": "no guard is shown to fail",
        "estimate": "no guard's estimated loss exceeds its margin",
        "demonstrated": "every guard is shown to hold",
    }[settings.guard_evidence]
    larger = [
        candidate
        for candidate in _by_gain([candidate for candidate in candidates if candidate.better])
        if candidate.gain > metric.better.gain(test.difference or 0.0)
    ]
    refused = [candidate for candidate in larger if not candidate.eligible]
    rank = "the largest gain" if len(larger) == len(refused) else "a gain that can't be told apart from the largest"
    if refused:
        rank += " of the rows that pass the rule"
    sentences = [
        f"{best} has {rank} in {_phrase(metric.name)}: {row.scalar(metric).value:.3f}, "
        f"{test.difference:+.3f} ({test.low:+.3f} to {test.high:+.3f}) against {test.b}, "
        f"adjusted p = {test.p_adjusted:.2g}, {seeds}; {guards}.",
        *(f"{candidate.variant} gained more, but {_failure(candidate)}." for candidate in refused),
        *(_costs(row.difference_to_reference) if row.difference_to_reference else []),
    ]
    if len(candidates) > 1:
        sentences.append(
            f"It was chosen among {len(candidates)} rows on these test faces, so its gain is somewhat optimistic."
        )
    if len(test.seeds) == 1 and not row.is_posthoc:
        sentences.append(
            "One seed shows that the two networks differ, not yet that the cure is the reason: train more seeds."
        )
    if row.is_posthoc:
        sentences.append(
            f"It is the model of {row.derived_from} with its {FOCUS.name} probabilities adjusted afterwards "
            f"(tau = {row.tau:g}), which the saved model does not do itself."
        )
    if similar:
        sentences.append(f"It can't be told apart from {', '.join(similar)}.")
    return " ".join(sentences)


def _costs(difference: Differences) -> list[str]:
    """A sentence on what the gain costs: the largest loss of a class's recall and of natural accuracy, if shown."""
    recalls = difference.by_name(CATALOGUE[f"{FOCUS.name}_recall"])
    losses = [(f"{name} recall", recall) for name, recall in recalls.items() if _is_below_zero(recall)]
    shown = sorted(losses, key=lambda loss: (loss[1].value or 0.0, loss[0]))[:1]
    natural = difference.natural.get(f"{FOCUS.name}_accuracy")
    if natural is not None and _is_below_zero(natural):
        shown.append((f"{FOCUS.name} accuracy in the natural population", natural))
    costs = [f"{name} {loss.value:+.3f} ({loss.low:+.3f} to {loss.high:+.3f})" for name, loss in shown]
    return [f"It costs {' and '.join(costs)}."] if costs else []


def _is_below_zero(interval: Interval) -> bool:
    return interval.high is not None and interval.high < 0


def _phrase(metric: str) -> str:
    return CATALOGUE[metric].phrase


def _guard_name(guard: GuardMargin) -> str:
    return f"{_phrase(guard.metric)}{' of the worst group' if guard.scope == _WORST else ''}"
