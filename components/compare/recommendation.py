"""The written rule that recommends a variant, and says why.

The rule, with the names of :class:`~components.compare.settings.RecommendationSettings`:

1. A variant is *better* when its gain over the reference in ``primary_metric`` has a p-value,
   adjusted for all comparisons of the report, of at most ``significance``, and (``every_seed``) the
   same sign in every common seed.
2. It is *safe* when its loss against the reference stays within ``margins`` for every other metric
   there, overall and in the worst gender × ethnicity group; ``guard_evidence`` says how the
   uncertainty of the loss counts.
3. Of the variants that are better and safe, the one with the largest gain is recommended; a trained
   one that can't be told apart from it goes before a post-hoc row, which the saved model does not serve.
   If there is none, the reference is.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from components.compare.settings import RecommendationSettings
from components.evaluation.metrics import GROUP_METRICS, HEADLINES

METRIC_NAMES = {
    "age_mae": "age MAE",
    "gender_accuracy": "gender accuracy",
    "ethnicity_accuracy": "ethnicity accuracy",
    "ethnicity_macro_f1": "ethnicity macro F1",
    "ethnicity_recall": "ethnicity recall",
}
"""How metrics are called in a sentence."""

_WORST = "worst_group_"

Row = Mapping[str, Any]


def recommend(
    rows: Mapping[str, Row],
    paired: Sequence[Mapping[str, Any]],
    reference: str,
    settings: RecommendationSettings,
    between: Callable[[str, str], Mapping[str, float | None]],
) -> dict[str, Any]:
    """Apply the rule.

    Args:
        rows: Rows of the comparison by name, trained and post-hoc.
        paired: The report's tests, with ``a``, ``b``, ``metric``, ``difference``, ``low``, ``high``,
            ``p_adjusted``.
        reference: Name of the variant that the others are compared with.
        settings: The rule's settings.
        between: The paired interval of the primary metric between two rows, the first less the second.

    Returns:
        ``variant`` (None when the reference is missing), ``because``, ``kind`` of its row, ``model``
        (the variant whose trained model it is), ``deployable`` (whether that model as saved answers
        like this), ``adjustment`` (of a post-hoc row: ``tau`` and ``class_priors``), ``rule``,
        ``candidates`` (every other row with the outcome of each condition) and ``indistinguishable``
        (other safe and better rows whose difference to the recommended one may be zero).
    """
    rule = describe_rule(reference, settings)
    if reference not in rows:
        because = (
            f"The reference {reference} has no results, so no variant can be compared with it: "
            f"add it to the variants and run again."
        )
        return _answer(None, None, because=because, rule=rule, candidates=[], similar=[])
    tests = {(test["a"], test["b"]): test for test in paired if test["metric"] == settings.primary_metric}
    candidates = [
        _candidate(name, row, rows[reference], tests.get((name, reference)), settings)
        for name, row in rows.items()
        if name != reference
    ]
    eligible = sorted((each for each in candidates if each["eligible"]), key=lambda each: -each["gain"])
    if not eligible:
        because = _why_the_reference(reference, candidates, settings)
        return _answer(reference, rows[reference], because=because, rule=rule, candidates=candidates, similar=[])
    best = _preferred(eligible, between)
    others = [each["variant"] for each in eligible if each["variant"] != best]
    similar = [name for name in others if _may_be_zero(between(best, name))]
    because = _why_the_best(best, rows[best], tests[best, reference], similar, len(candidates), settings)
    return _answer(best, rows[best], because=because, rule=rule, candidates=candidates, similar=similar)


def _preferred(eligible: Sequence[Mapping[str, Any]], between: Callable[[str, str], Mapping[str, float | None]]) -> str:
    """The row with the largest gain, or the best trained one if that is post-hoc and they may be the same."""
    largest = str(eligible[0]["variant"])
    if eligible[0]["kind"] != "posthoc":
        return largest
    trained = (str(each["variant"]) for each in eligible if each["kind"] != "posthoc")
    return next((name for name in trained if _may_be_zero(between(largest, name))), largest)


def describe_rule(reference: str, settings: RecommendationSettings) -> dict[str, Any]:
    """Return the rule as settings and as a text."""
    margins = {name: margin for name, margin in settings.margins if name != settings.primary_metric}
    evidence = {
        "significant": "its whole interval is beyond the margin",
        "estimate": "its estimate is beyond the margin",
        "demonstrated": "its interval reaches beyond the margin",
    }[settings.guard_evidence]
    text = (
        f"Recommended is the variant with the largest gain over {reference} in "
        f"{METRIC_NAMES[settings.primary_metric]}, among those whose gain is significant (p, adjusted by Holm for "
        f"all comparisons of the report, at most {settings.significance:g})"
        f"{' and of one sign in every common seed' if settings.every_seed else ''}, and whose loss stays within the "
        f"margin of every guard: {', '.join(f'{_guard_name(name)} {margin:g}' for name, margin in margins.items())}. "
        f"A guard fails when {evidence}. A trained variant that can't be told apart from the largest gain goes before "
        f"a post-hoc row. If no variant passes, {reference} stays."
    )
    return {
        "primary_metric": settings.primary_metric,
        "significance": settings.significance,
        "every_seed": settings.every_seed,
        "guard_evidence": settings.guard_evidence,
        "guards": margins,
        "posthoc": settings.posthoc,
        "text": text,
    }


def _candidate(
    name: str, row: Row, reference: Row, test: Mapping[str, Any] | None, settings: RecommendationSettings
) -> dict[str, Any]:
    """Check one row against every condition of the rule."""
    metric = settings.primary_metric
    sign = -1 if HEADLINES[metric] == "lower" else 1
    gain = sign * test["difference"] if test else 0.0
    p_adjusted = test["p_adjusted"] if test else None
    significant = p_adjusted is not None and p_adjusted <= settings.significance
    seeds = [seed for seed in row[metric]["by_seed"] if seed in reference[metric]["by_seed"]]
    gains = [sign * (row[metric]["by_seed"][seed] - reference[metric]["by_seed"][seed]) for seed in seeds]
    # One seed can't contradict itself.
    consistent = len({(each > 0) - (each < 0) for each in gains}) == 1 if len(gains) > 1 else None
    guards = _guards(row, settings)
    allowed = settings.posthoc or row["kind"] != "posthoc"
    better = gain > 0 and significant and (consistent is not False or not settings.every_seed)
    return {
        "variant": name,
        "kind": row["kind"],
        "gain": gain,
        "p_adjusted": p_adjusted,
        "significant": significant,
        "consistent_over_seeds": consistent,
        "better": better,
        "guards": guards,
        "safe": all(guard["holds"] for guard in guards),
        "eligible": better and allowed and all(guard["holds"] for guard in guards),
    }


def _guards(row: Row, settings: RecommendationSettings) -> list[dict[str, Any]]:
    """The loss of a row in each guarded metric, with its interval, and whether it is tolerated."""
    difference = row["difference_to_reference"]
    guards = []
    for name, margin in settings.margins:
        if name == settings.primary_metric or difference is None:
            continue
        metric = name.removeprefix(_WORST)
        found = difference["worst_group"][metric] if name.startswith(_WORST) else difference[metric]
        better = GROUP_METRICS[metric] if name.startswith(_WORST) else HEADLINES[metric]
        ends = (found["value"], found["low"], found["high"])
        known = None not in ends
        loss, low, high = ends if better == "lower" else (_minus(ends[0]), _minus(ends[2]), _minus(ends[1]))
        weighed = {"significant": low, "estimate": loss, "demonstrated": high}[settings.guard_evidence]
        guards.append(
            {
                "metric": metric,
                "scope": "worst group" if name.startswith(_WORST) else "overall",
                "loss": loss,
                "low": low,
                "high": high,
                "margin": margin,
                # What can't be computed can't be shown to be safe.
                "holds": known and weighed <= margin,
            }
        )
    return guards


def _minus(value: float | None) -> float | None:
    return None if value is None else -value


def _may_be_zero(interval: Mapping[str, float | None]) -> bool:
    low, high = interval["low"], interval["high"]
    return low is None or high is None or low <= 0 <= high


def _why_the_reference(reference: str, candidates: list[dict[str, Any]], settings: RecommendationSettings) -> str:
    """One sentence for the case that no variant passes."""
    metric = METRIC_NAMES[settings.primary_metric]
    if not candidates:
        return f"{reference} is the only variant with results."
    unsafe = sorted((each for each in candidates if each["better"]), key=lambda each: -each["gain"])
    if unsafe:
        reasons = "; ".join(f"{each['variant']} ({_failure(each)})" for each in unsafe)
        return f"{reference} stays: each variant that is significantly better in {metric} fails a guard: {reasons}."
    fickle = [each["variant"] for each in candidates if each["significant"] and each["gain"] > 0]
    if fickle:
        return (
            f"{reference} stays: {', '.join(fickle)} gained in {metric} over all seeds but not in each of them, "
            f"so the gain may be the seed's."
        )
    worse = [each["variant"] for each in candidates if each["significant"]]
    if worse:
        return (
            f"{reference} stays: no variant is significantly better in {metric}, "
            f"and {', '.join(worse)} {'is' if len(worse) == 1 else 'are'} significantly worse."
        )
    tested = [each["p_adjusted"] for each in candidates if each["p_adjusted"] is not None]
    smallest = f" (smallest adjusted p = {min(tested):.2g})" if tested else ""
    return f"No variant is distinguishable from the {reference} in {metric}{smallest}."


def _failure(candidate: Mapping[str, Any]) -> str:
    """Which guard a better candidate fails most, or that its kind is not allowed."""
    failed = [guard for guard in candidate["guards"] if not guard["holds"]]
    if not failed:
        return "post-hoc rows are not to be recommended"
    worst = max(failed, key=lambda guard: (guard["loss"] or 0.0) / max(guard["margin"], 1e-9))
    name = f"{METRIC_NAMES[worst['metric']]}{' of the worst group' if worst['scope'] == 'worst group' else ''}"
    if worst["loss"] is None:
        return f"{name} is undefined"
    return (
        f"{name} is worse by {worst['loss']:.3g}, {worst['low']:.3g} to {worst['high']:.3g}; margin {worst['margin']:g}"
    )


def _why_the_best(
    best: str, row: Row, test: Mapping[str, Any], similar: list[str], compared: int, settings: RecommendationSettings
) -> str:
    """One sentence on the gain, and one each on what a reader must know before shipping."""
    metric = METRIC_NAMES[settings.primary_metric]
    seeds = f"{len(test['seeds'])} seed{'s' if len(test['seeds']) > 1 else ''}"
    guards = {
        "significant": "no guard is shown to fail",
        "estimate": "no guard's estimated loss exceeds its margin",
        "demonstrated": "every guard is shown to hold",
    }[settings.guard_evidence]
    rank = (
        "a gain that is the largest, or can't be told apart from it,"
        if row["kind"] != "posthoc"
        else "the largest gain"
    )
    sentences = [
        f"{best} has {rank} in {metric}: {row[settings.primary_metric]['value']:.3f}, "
        f"{test['difference']:+.3f} ({test['low']:+.3f} to {test['high']:+.3f}) against {test['b']}, "
        f"adjusted p = {test['p_adjusted']:.2g}, {seeds}; {guards}.",
        *_costs(row["difference_to_reference"]),
    ]
    if compared > 1:
        sentences.append(
            f"It was chosen among {compared} rows on these test faces, so its gain is on the optimistic side."
        )
    if len(test["seeds"]) == 1 and row["kind"] != "posthoc":
        sentences.append("One seed shows that the two networks differ, not yet that the cure does: train more seeds.")
    if row["kind"] == "posthoc":
        sentences.append(
            f"It is the model of {row['derived_from']} with its ethnicity probabilities adjusted afterwards "
            f"(tau = {row['tau']:g}), which the saved model does not do by itself."
        )
    if similar:
        sentences.append(f"It can't be told apart from {', '.join(similar)}.")
    return " ".join(sentences)


def _costs(difference: Mapping[str, Any] | None) -> list[str]:
    """A sentence on what the gain costs: the largest loss of a class's recall and of natural accuracy, if shown."""
    if difference is None:
        return []
    losses = {f"{name} recall": one for name, one in (difference.get("ethnicity_recall") or {}).items()}
    shown = sorted((one["value"], name) for name, one in losses.items() if _below_zero(one))[:1]
    natural = (difference.get("natural") or {}).get("ethnicity_accuracy")
    if natural and _below_zero(natural):
        losses[name := "ethnicity accuracy in the natural population"] = natural
        shown.append((natural["value"], name))
    if not shown:
        return []
    costs = [
        f"{name} {value:+.3f} ({losses[name]['low']:+.3f} to {losses[name]['high']:+.3f})" for value, name in shown
    ]
    return [f"It costs {' and '.join(costs)}."]


def _below_zero(interval: Mapping[str, float | None]) -> bool:
    return interval["high"] is not None and interval["high"] < 0


def _guard_name(name: str) -> str:
    metric = METRIC_NAMES[name.removeprefix(_WORST)]
    return f"{metric} of the worst group" if name.startswith(_WORST) else metric


def _answer(
    variant: str | None,
    row: Row | None,
    *,
    because: str,
    rule: dict[str, Any],
    candidates: list[dict[str, Any]],
    similar: list[str],
) -> dict[str, Any]:
    posthoc = row is not None and row["kind"] == "posthoc"
    return {
        "variant": variant,
        "because": because,
        "kind": row["kind"] if row else None,
        "model": row["derived_from"] if row and posthoc else variant,
        "deployable": row is not None and not posthoc,
        "adjustment": {"tau": row["tau"], "class_priors": row["class_priors"]} if row and posthoc else None,
        "rule": rule,
        "candidates": candidates,
        "indistinguishable": similar,
    }
