"""The decision itself: from what is known about challenger and champion to a verdict with its reason."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from components.dataset.labels import Labels
from components.evaluation.catalogue import CATALOGUE, Better, Metric
from components.promote.settings import PromotionPolicy
from components.recommend.contract import RecommendedModel
from components.registries.contract import Case, Measurement


@dataclass(frozen=True)
class Incumbent:
    """The champion.

    Attributes:
        version: Its number.
        facts: What it is; None if it can't be read.
        problem: Why it can't be read.
    """

    version: str
    facts: RecommendedModel | None
    problem: str = ""


@dataclass(frozen=True)
class Verdict:
    """What the policy says.

    Attributes:
        promote: Whether the challenger becomes the champion.
        case: Why, in a word.
        reason: Why, in a sentence.
        measurements: The numbers, each with what it was held against.
    """

    promote: bool
    case: Case
    reason: str
    measurements: list[Measurement] = field(default_factory=list)


def screen(challenger: RecommendedModel, champion: Incumbent | None, policy: PromotionPolicy) -> Verdict | None:
    """Return the verdict that needs no numbers, or None where the models have to be scored.

    Args:
        challenger: What a run recommends.
        champion: None while there is none.
        policy: What a challenger must show.
    """
    if (verdict := _rests_on_too_little(challenger, policy)) is not None or champion is None:
        return verdict
    if champion.facts is not None and champion.facts.network is not None and challenger.network is not None:
        if champion.facts.network.files == challenger.network.files:
            return Verdict(False, "same model", f"It is the champion itself, version {champion.version}")
        if champion.facts.labels == challenger.labels:
            return None
    return None if policy.without_comparison == "promote" else Verdict(False, *_no_comparison(challenger, champion))


def _rests_on_too_little(challenger: RecommendedModel, policy: PromotionPolicy) -> Verdict | None:
    network = challenger.network
    if network is None:
        return Verdict(False, "nothing to ship", f"The run recommends no model ({challenger.standing})")
    if challenger.standing == "indicated" and not policy.allow_indicated:
        reason = f"{network.row} is only indicated, which promotion.policy.allow_indicated does not allow"
        return Verdict(False, "too few seeds", reason)
    seeds = len(network.validation_scores)
    if seeds < policy.min_seeds:
        reason = f"The recommendation rests on {_count(seeds, 'seed')}, and the policy asks for {policy.min_seeds}"
        return Verdict(False, "too few seeds", reason)
    return None


def judge(
    challenger: RecommendedModel,
    champion: Incumbent | None,
    measurements: Sequence[Measurement],
    policy: PromotionPolicy,
) -> Verdict:
    """Return the verdict on models that were scored.

    The floor comes first, because it holds for the challenger alone; then the primary metric; then what was lost
    elsewhere.

    Args:
        challenger: What a run recommends.
        champion: None while there is none.
        measurements: Of both models; of the challenger alone where they can't be compared.
        policy: What a challenger must show.
    """
    held, labels = [_hold(each, policy) for each in measurements], challenger.labels
    for each in held:
        if each.role == "floor" and each.holds is False:
            metric = CATALOGUE[each.metric]
            group = "In the worst group, its" if each.scope == "worst group" else "Its"
            side = "above the ceiling" if metric.better is Better.LOWER else "below the floor"
            reason = (
                f"{group} {metric.phrase} is {_number(each.challenger, metric, labels)}, {side} of "
                f"{_number(each.limit, metric, labels)}"
            )
            return Verdict(False, "below the floor", reason, held)
    primary = next(each for each in held if each.role == "primary")
    if champion is None:
        return Verdict(True, "no champion", "There was no champion, and it meets the floor", held)
    if primary.champion is None:
        case, reason = _no_comparison(challenger, champion)
        return Verdict(True, case, f"{reason}; the policy promotes all the same, since it meets the floor", held)
    metric = CATALOGUE[primary.metric]
    told = _gain_in_words(primary, metric, champion.version, policy, labels)
    if not primary.holds:
        _, _, high = _gain(primary, metric)
        return Verdict(False, "worse" if high is not None and high < 0 else "tied", told, held)
    for each in held:
        if each.role == "non-inferiority" and each.holds is False:
            other = CATALOGUE[each.metric]
            _, low, _ = _gain(each, other)
            reason = (
                f"{told}; but {other.phrase} changes by {_signed(each.difference, other)}, and a loss of up to "
                f"{_number(None if low is None else -low, other, labels)} can't be excluded where "
                f"{_number(each.limit, other, labels)} is tolerated"
            )
            return Verdict(False, "worse elsewhere", reason, held)
    return Verdict(True, "better" if policy.require == "better" else "not worse", told, held)


def _hold(measurement: Measurement, policy: PromotionPolicy) -> Measurement:
    """Return a measurement with its role, its limit, and whether it meets it."""
    metric = CATALOGUE[measurement.metric]
    if measurement.scope == "worst group":
        limit = getattr(policy.floor, metric.name, None)
        if limit is None:
            return measurement
        value = measurement.challenger
        # An undefined number meets no floor.
        holds = value is not None and (value <= limit if metric.better is Better.LOWER else value >= limit)
        return measurement.model_copy(update={"role": "floor", "limit": limit, "holds": holds})
    is_primary = metric.name == policy.primary_metric
    limit = policy.margin if is_primary else getattr(policy.losses, metric.name, None)
    if limit is None:
        return measurement
    role = "primary" if is_primary else "non-inferiority"
    holds = None
    if measurement.champion is not None:
        _, low, _ = _gain(measurement, metric)
        if is_primary and policy.require == "better":
            # A cell of one face adds nothing to an interval: where all are, it has no width, and the test decides.
            is_significant = measurement.p is not None and measurement.p <= policy.significance
            holds = low is not None and low > limit and is_significant
        else:
            holds = low is not None and low >= -limit
    return measurement.model_copy(update={"role": role, "limit": limit, "holds": holds})


def _gain(measurement: Measurement, metric: Metric) -> tuple[float | None, float | None, float | None]:
    """Return the difference and its ends with the sign of an improvement."""
    ends = [measurement.difference, measurement.low, measurement.high]
    gain, *interval = [None if end is None else metric.better.gain(end) for end in ends]
    low, high = interval if metric.better is not Better.LOWER else reversed(interval)
    return gain, low, high


def _no_comparison(challenger: RecommendedModel, champion: Incumbent) -> tuple[Case, str]:
    if champion.facts is None or champion.facts.network is None:
        problem = champion.problem or "it holds no model"
        return "unreadable champion", f"Version {champion.version}, the champion, can't be read ({problem})"
    theirs, ours = (", ".join(model.labels.ethnicities) for model in (champion.facts, challenger))
    which = f"{theirs} there, {ours} here" if theirs != ours else "the age bins differ"
    if champion.facts.labels.output_names != challenger.labels.output_names:
        theirs, ours = (", ".join(model.labels.output_names) for model in (champion.facts, challenger))
        return "other classes", (
            f"Version {champion.version}, the champion, has other outputs ({theirs} there, {ours} here)"
        )
    return "other classes", f"Version {champion.version}, the champion, has other classes ({which})"


def _gain_in_words(primary: Measurement, metric: Metric, version: str, policy: PromotionPolicy, labels: Labels) -> str:
    gain, low, high = _gain(primary, metric)
    wanted = f"above {policy.margin:g}" if policy.require == "better" else f"above −{policy.margin:g}"
    above = low is not None and low > (policy.margin if policy.require == "better" else -policy.margin)
    met = "is" if above else "is not"
    tested = f", p = {primary.p:.2g}" if primary.p is not None and policy.require == "better" else ""
    return (
        f"{metric.title} {_number(primary.challenger, metric, labels)} against "
        f"{_number(primary.champion, metric, labels)} of version {version}: the gain of {_signed(gain, metric)} "
        f"({_signed(low, metric)} to {_signed(high, metric)}) {met} wholly {wanted}{tested}"
    )


def _number(value: float | None, metric: Metric, labels: Labels) -> str:
    unit = metric.unit(labels)
    return "undefined" if value is None else f"{value:.{metric.decimals}f}{f' {unit}' if unit else ''}"


def _signed(value: float | None, metric: Metric) -> str:
    return "undefined" if value is None else f"{value:+.{metric.decimals}f}".replace("-", "−")


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
