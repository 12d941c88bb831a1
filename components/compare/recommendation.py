"""The rule that recommends a variant and says why.

The rule, with the names of :class:`~components.compare.settings.RecommendationSettings`:

1. *Choose*, on the validation faces: of the rows whose gain over the reference in ``primary_metric`` can't be told
   apart from the largest, in the order of their utility over all outputs (``utility``). Rows that have not learned that
   output, or that break an overall guard there, don't enter.
2. *Confirm*, on the test set, one row after the other. A row is *better* when its gain in the primary metric has a
   p-value of at most ``significance`` and (``every_seed``) the same sign in every common seed. It is *safe* when its
   loss against the reference stays within ``margins`` for every other metric listed there, overall and in the worst
   gender × ethnicity group; ``guard_evidence`` says how the uncertainty of the loss counts.
3. The first row that is better and safe is recommended; with fewer than ``min_seeds`` seeds it is only indicated. After
   one that is better but not safe comes the next; after one that is not better, or if the reference's turn comes, the
   reference stays. A test is only made if the one before it has rejected, so the sequence needs no adjustment (Maurer
   et al. 1995; Wiens 2003). The choice does: other faces judge, but they judge the same networks, and a row whose seeds
   were lucky is lucky on both. So each p-value is multiplied by the number of rows that could be chosen (Bonferroni).

With ``chosen_on: test`` every row is judged, with p-values adjusted for all comparisons of the report, and step 1
chooses among those that are better and safe, by their results on the test set. If no network beats the constant
predictor in any output, nothing is recommended.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from components.compare.contract import (
    Candidate,
    Choice,
    Differences,
    Guard,
    GuardMargin,
    Interval,
    Number,
    PairedTestFacts,
    Recommendation,
    Row,
    Rule,
    Standing,
)
from components.compare.grounds import Grounds
from components.compare.reasons import NATURAL, guard_name, phrase, why_the_best, why_the_reference
from components.compare.settings import RecommendationSettings
from components.dataset.outputs import OUTPUTS
from components.evaluation.catalogue import CATALOGUE, MAIN, SCALARS, Better


def recommend(
    rows: Mapping[str, Row],
    paired: Sequence[PairedTestFacts],
    reference: str,
    settings: RecommendationSettings,
    *,
    validation: Grounds | None,
    tested: Grounds | None,
    outputs: Collection[str] = OUTPUTS,
) -> Recommendation:
    """Apply the rule.

    Args:
        rows: Rows of the comparison by name.
        paired: The report's tests.
        reference: Name of the variant that the others are compared with.
        settings: The rule's settings.
        validation: What the validation faces say; None without the reference.
        tested: What the test faces say; None without the reference.
        outputs: Names of the outputs that there are; what the settings say of another one means nothing.
    """
    dominators = find_dominators(rows)
    rule = describe_rule(reference, settings, outputs)
    facts = {
        "rule": rule,
        "frontier": [name for name in rows if dominators[name] is None],
    }
    if reference not in rows or validation is None or tested is None:
        because = (
            f"The reference {reference} has no results, so no variant can be compared with it: "
            "add it to the variants and run again."
        )
        return _nothing("no reference", because, [], facts)
    tests = {(test.a, test.b): test for test in paired if test.metric == settings.primary_metric}
    judge = _Judge(rows, reference, tests, settings, validation, tested, dominators, rule.guards)
    chosen, choice, candidates = judge.choose_on_test() if settings.chosen_on == "test" else judge.choose()
    if not any(any(row.learned.values()) for row in rows.values()):
        because = (
            "Nothing was learned: no network is better than the constant predictor in any output, so there is nothing "
            "to choose between. Look at the training curves before anything else."
        )
        return _nothing("nothing learned", because, candidates, facts)
    passed = [candidate for candidate in candidates if candidate.eligible]
    won = any(candidate.variant == chosen for candidate in passed)
    variant = chosen if won else reference
    row = rows[variant]
    similar = [
        candidate.variant
        for candidate in passed
        if candidate.variant != variant and tested.between(variant, candidate.variant).may_be_zero
    ]
    seeds = len(tests[variant, reference].seeds) if won else len(row.seeds)
    standing: Standing = "kept" if not won else "recommended" if seeds >= settings.min_seeds else "indicated"
    scores = validation.scores[row.averaged or variant]
    seed = None if row.is_ensemble else median_seed(scores, CATALOGUE[settings.primary_metric].better)
    natural = row.difference_to_reference.natural.get(NATURAL) if row.difference_to_reference else None
    if won:
        [judged] = [candidate for candidate in candidates if candidate.variant == variant]
        because = why_the_best(judged, row, tests[variant, reference], similar, candidates, choice, settings)
    else:
        because = why_the_reference(reference, candidates, choice, settings)
    return Recommendation(
        variant=variant,
        standing=standing,
        because=because,
        kind=row.kind,
        model=row.derived_from or variant,
        seed=seed,
        validation_scores={str(each): score for each, score in scores.items()},
        adjustment=row.adjustments.get(str(seed)),
        members={str(each): row.adjustments.get(str(each)) for each in row.seeds} if row.is_ensemble else {},
        choice=choice,
        candidates=candidates,
        indistinguishable=similar,
        natural=natural,
        **facts,
    )


def _nothing(
    standing: Standing, because: str, candidates: list[Candidate], facts: Mapping[str, object]
) -> Recommendation:
    return Recommendation.model_validate(
        {
            "variant": None,
            "standing": standing,
            "because": because,
            "kind": None,
            "model": None,
            "seed": None,
            "validation_scores": {},
            "adjustment": None,
            "choice": None,
            "candidates": candidates,
            "indistinguishable": [],
            "natural": None,
            **facts,
        }
    )


def median_seed(scores: Mapping[int, Number], better: Better) -> int:
    """Return the seed with the median score; of an even number, the worse of the two in the middle.

    The best seed would be the luckiest: what the row's numbers promise is a typical one.

    Args:
        scores: By seed, at least one; None, what is undefined, is worse than any number.
        better: Which direction is better.
    """

    def quality(seed: int) -> tuple[bool, float, int]:
        score = scores[seed]
        return score is not None, better.gain(score or 0.0), -seed

    return sorted(scores, key=quality)[(len(scores) - 1) // 2]


def find_dominators(rows: Mapping[str, Row]) -> dict[str, str | None]:
    """Return for each row one that is at least as good in every output's main metric and better in one, or None.

    Of several, the one that is best in most outputs; estimates count, not their intervals.
    """
    values = {
        name: [
            -metric.better.gain(row.scalar(metric).value or 0.0)
            for metric in MAIN.values()
            if metric.output in row.learned
        ]
        for name, row in rows.items()
    }

    def dominates(first: str, second: str) -> bool:
        pairs = list(zip(values[first], values[second], strict=True))
        return all(ours <= theirs for ours, theirs in pairs) and any(ours < theirs for ours, theirs in pairs)

    beaten = {name: [other for other in rows if dominates(other, name)] for name in rows}
    # A dominator that nobody dominates always exists: dominance has no circles.
    return {name: next((other for other in others if not beaten[other]), None) for name, others in beaten.items()}


@dataclass(frozen=True)
class _Judge:
    """The rows of one comparison, ready to be chosen from and judged."""

    rows: Mapping[str, Row]
    reference: str
    tests: Mapping[tuple[str, str], PairedTestFacts]
    settings: RecommendationSettings
    validation: Grounds
    tested: Grounds
    dominators: Mapping[str, str | None]
    margins: Sequence[GuardMargin]

    @property
    def entrants(self) -> list[str]:
        """Rows that can be chosen on the validation faces, the reference among them."""
        return [name for name in self.rows if name == self.reference or self._enters(name)]

    def choose(self) -> tuple[str, Choice, list[Candidate]]:
        """Choose on the validation faces and judge on the test set; return the last row judged, and all rows' facts."""
        choice = self._choice(self.entrants, self.validation, "validation")
        judged: list[str] = []
        for name in choice.tied:
            if name == self.reference:
                return name, choice, self._candidates(self.validation, judged)
            judged.append(name)
            candidate = self._candidate(name, self.validation, judged)
            if candidate.eligible or not candidate.better:
                break
        return judged[-1], choice, self._candidates(self.validation, judged)

    def choose_on_test(self) -> tuple[str, Choice | None, list[Candidate]]:
        """Judge every row on the test set and choose among those that pass."""
        candidates = self._candidates(self.tested, None)
        passed = [candidate.variant for candidate in candidates if candidate.eligible]
        if not passed:
            return self.reference, None, candidates
        choice = self._choice(passed, self.tested, "test")
        chosen = choice.tied[0]
        marked = [candidate.model_copy(update={"chosen": candidate.variant == chosen}) for candidate in candidates]
        return chosen, choice, marked

    def _enters(self, name: str) -> bool:
        row, losses = self.rows[name], self.validation.losses.get(name)
        if losses is None or (row.is_adjusted and not self.settings.posthoc):
            return False
        within = all(
            _tolerates(guard, losses[guard.metric], self.settings) for guard in self.margins if not guard.is_worst_group
        )
        return within and row.learned[SCALARS[self.settings.primary_metric].output]

    def _choice(self, entrants: Sequence[str], grounds: Grounds, on: str) -> Choice:
        largest = max(entrants, key=lambda name: grounds.gains[name])
        tied = [name for name in entrants if name == largest or grounds.between(largest, name).may_be_zero]
        useful = sorted(tied, key=lambda name: -(grounds.utilities[name].value or 0.0))
        return Choice.model_validate(
            {"on": on, "faces": grounds.faces, "effective_faces": grounds.effective_faces, "tied": useful}
        )

    def _candidates(self, grounds: Grounds, judged: Sequence[str] | None) -> list[Candidate]:
        return [self._candidate(name, grounds, judged) for name in self.rows if name != self.reference]

    def _candidate(self, name: str, grounds: Grounds, judged: Sequence[str] | None) -> Candidate:
        """Check one row against every condition of the rule; ``judged`` are the rows whose turn came, None for all."""
        row, test, settings = self.rows[name], self.tests.get((name, self.reference)), self.settings
        metric = SCALARS[settings.primary_metric]
        gain = metric.better.gain(test.difference) if test and test.difference is not None else 0.0
        p = None if test is None else test.p_adjusted
        if test is not None and name in (judged or ()):
            p = min(1.0, test.p * (len(self.entrants) - 1))
        significant = p is not None and p <= settings.significance
        ours, theirs = row.scalar(metric).by_seed, self.rows[self.reference].scalar(metric).by_seed
        gains = [metric.better.gain((ours[seed] or 0.0) - (theirs[seed] or 0.0)) for seed in ours if seed in theirs]
        # One seed can't contradict itself, and an ensemble has no result of one seed.
        consistent = len({(gained > 0) - (gained < 0) for gained in gains}) == 1 if len(gains) > 1 else None
        guards = self._guards(row.difference_to_reference) if row.difference_to_reference else []
        better = gain > 0 and significant and (consistent is not False or not settings.every_seed)
        safe = bool(guards) and all(guard.holds for guard in guards)
        return Candidate(
            variant=name,
            kind=row.kind,
            chosen=name in (judged or ()),
            choice_gain=grounds.gains.get(name),
            choice_utility=grounds.utilities[name].value if name in grounds.utilities else None,
            gain=gain,
            p=p,
            significant=significant,
            consistent_over_seeds=consistent,
            better=better,
            guards=guards,
            safe=safe,
            eligible=(judged is None or name in judged)
            and better
            and safe
            and (settings.posthoc or not row.is_adjusted),
            utility=self.tested.utilities.get(name, Interval(value=None, low=None, high=None)),
            dominated_by=self.dominators[name],
        )

    def _guards(self, difference: Differences) -> list[Guard]:
        """The loss of a row in each guarded metric, with its interval, and whether it is tolerated."""
        guards = []
        for guard in self.margins:
            metric = CATALOGUE[guard.metric]
            interval = difference.worst_group[metric.name] if guard.is_worst_group else difference.overall(metric)
            loss, low, high = interval.value, interval.low, interval.high
            if metric.better is not Better.LOWER:
                loss, low, high = _minus(loss), _minus(high), _minus(low)
            lost = Interval(value=loss, low=low, high=high)
            holds = _tolerates(guard, lost, self.settings)
            guards.append(Guard(**dict(guard), loss=loss, low=low, high=high, holds=holds))
        return guards


def describe_rule(reference: str, settings: RecommendationSettings, outputs: Collection[str] = OUTPUTS) -> Rule:
    """Return the rule as settings and as text, as far as it is about the outputs that there are."""
    guards = _margins(settings, outputs)
    utility = {
        name: worth for name, worth in settings.utility.model_dump().items() if CATALOGUE[name].output in outputs
    }
    evidence = {
        "significant": "the whole interval of its loss is beyond the margin",
        "estimate": "its estimated loss is beyond the margin",
        "demonstrated": "the interval of its loss reaches beyond the margin",
    }[settings.guard_evidence]
    margins = ", ".join(f"{guard_name(guard)} {guard.margin:g}" for guard in guards)
    worths = ", ".join(
        f"{worth:g} for each 1.0 {'less' if CATALOGUE[name].better is Better.LOWER else 'more'} of {phrase(name)}"
        for name, worth in utility.items()
    )
    is_validation = settings.chosen_on == "validation"
    where = "the validation faces, re-weighted to the cells of the test set" if is_validation else "the test set"
    among = "the rows" if is_validation else "the rows that pass the conditions below"
    fallback = (
        "After a row that gains but fails a guard comes the next; otherwise" if is_validation else "If no row passes,"
    )
    adjusted = (
        "times the number of rows that could be chosen"
        if is_validation
        else "adjusted by Holm for all comparisons of the report"
    )
    text = (
        f"On {where}, the rule chooses among {among} whose gain over {reference} in "
        f"{phrase(settings.primary_metric)} can't be told apart from the largest the one with the highest utility "
        f"({worths}). {'That row is then judged, on the test set' if is_validation else 'The conditions'}: its "
        f"gain must be significant (p at most {settings.significance:g}, {adjusted})"
        f"{', of the same sign in every common seed,' if settings.every_seed else ''} and its loss stay within the "
        f"margin of every guard: {margins}. A guard fails when {evidence}. With fewer than {settings.min_seeds} seeds "
        f"a row is only indicated. {fallback} {reference} stays."
    )
    return Rule(**settings.model_dump(exclude={"margins", "utility"}), utility=utility, guards=guards, text=text)


def _margins(settings: RecommendationSettings, outputs: Collection[str]) -> list[GuardMargin]:
    """The guarded metrics: the primary metric needs a guard only in the worst group."""
    return [
        GuardMargin(metric=name, scope="worst group" if is_worst else "overall", margin=margin)
        for name, is_worst, margin in settings.margins.guards()
        if (is_worst or name != settings.primary_metric) and CATALOGUE[name].output in outputs
    ]


def _tolerates(guard: GuardMargin, loss: Interval, settings: RecommendationSettings) -> bool:
    """Return whether a guard holds for a loss; what can't be computed can't be shown to be safe."""
    weighed = {"significant": loss.low, "estimate": loss.value, "demonstrated": loss.high}[settings.guard_evidence]
    return None not in (loss.value, loss.low, loss.high) and weighed is not None and weighed <= guard.margin


def _minus(value: float | None) -> float | None:
    return None if value is None else -value
