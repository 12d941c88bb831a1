"""Put all runs side by side: score them, test them, recommend one."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict

from components.compare.contract import (
    Comparison,
    DummyRow,
    Interval,
    PairedTestFacts,
    RunKey,
    RunPlace,
    Verdict,
)
from components.compare.dataset import Dataset, describe_dataset
from components.compare.measures import deviation, interval, measure
from components.compare.provenance import describe_provenance, describe_tuning, reading_notes
from components.compare.recommendation import recommend
from components.compare.rows import RowBuilder
from components.compare.runs import POSTHOC, Run, adjust_runs, group_runs, output_priors
from components.compare.settings import CompareSettings
from components.dataset.outputs import FOCUS, OUTPUTS, Kind
from components.evaluation.bootstrap import Weighting
from components.evaluation.catalogue import TESTED
from components.evaluation.dummy import dummy_predictions
from components.evaluation.natural import natural_population
from components.evaluation.paired import PairedTest, holm, paired_test, random_swaps
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Scored, common_seeds, difference, score_seeds
from components.training.search import SearchResult

_log = logging.getLogger(__name__)


def build_comparison(
    runs: Sequence[Run],
    data: Dataset,
    settings: CompareSettings,
    *,
    expected: Sequence[tuple[str, int]],
    searches: Mapping[str, SearchResult],
    places: Sequence[RunPlace],
) -> Comparison:
    """Put runs side by side.

    Args:
        runs: At least one, all with predictions for the faces of ``data.test``.
        data: The data, with the counts that earlier stages took.
        settings: Resamples, tests, and the recommendation rule.
        expected: Variant and seed of every run requested; those without results are marked.
        searches: What tuning chose, by the variant that it was tuned for.
        places: Where each run's model and predictions are.

    Raises:
        DataError: If there are no runs, a run appears twice, or the runs are not on the test faces.
    """
    started = time.monotonic()
    grouped = group_runs(runs, data.test)
    faces = next(iter(next(iter(grouped.values())).values())).predictions
    population = natural_population(data.manifest, faces.cells())
    observed = Weighting.observed(faces)
    resampled = Weighting.bootstrap(faces, settings.resamples, settings.seed)

    def score(predictions: Sequence[Predictions]) -> Scored:
        return score_seeds(predictions, observed, resampled, population.shares, settings.confidence)

    scored = {name: score([run.predictions for run in group.values()]) for name, group in grouped.items()}
    missing = [(name, seed) for name, seed in expected if name not in scored or seed not in scored[name].seeds]
    builder = RowBuilder(faces.labels, scored.get(settings.reference), settings)
    variants, posthoc = {}, {}
    for name, group in grouped.items():
        absent = [seed for variant, seed in missing if variant == name]
        variants[name] = builder.trained(group, scored[name], absent)
        priors = output_priors(group) if settings.posthoc.enabled else None
        if priors is not None:
            adjusted = f"{name}{POSTHOC}"
            scored[adjusted] = score(adjust_runs(group, priors, settings.posthoc.tau))
            posthoc[adjusted] = builder.posthoc(variants[name], scored[adjusted], priors, name)
    paired = paired_tests(scored, settings)

    def between(first: str, second: str) -> Interval:
        if not common_seeds(scored[first], scored[second]):
            return Interval(value=None, low=None, high=None)
        return interval(difference(scored[first], scored[second], settings.recommendation.primary_metric))

    comparison = Comparison(
        dataset=describe_dataset(data, population),
        variants=variants,
        posthoc=posthoc,
        dummy=_dummy_row(dummy_predictions(data.train, faces), score),
        paired=paired,
        missing=[RunKey(variant=name, seed=seed) for name, seed in missing],
        recommended=recommend(variants | posthoc, paired, settings.reference, settings.recommendation, between),
        tuning=describe_tuning(searches),
        notes=reading_notes(settings, population, missing),
        provenance=describe_provenance(data.manifest, runs[0].record.recipe, settings, len(paired)),
        runs=list(places),
    )
    _log.info("%d rows compared in %.1f s", len(scored), time.monotonic() - started)
    return comparison


def paired_tests(scored: Mapping[str, Scored], settings: CompareSettings) -> list[PairedTestFacts]:
    """Test every row against the reference, if it has results, on every metric; adjust for the number of tests.

    A post-hoc row is tested only on the output that it changes: its others are those of its variant.
    """
    reference = scored.get(settings.reference)
    if reference is None:
        return []
    # One more than the seed of the resamples, so that the two tables of random numbers are independent.
    swaps = random_swaps(len(reference.first), settings.permutations, settings.seed + 1)
    tests: list[tuple[str, str, PairedTest]] = []
    for name, row in scored.items():
        seeds = common_seeds(row, reference)
        if name == settings.reference or not seeds:
            continue
        ours, theirs = ([side.predictions[seed] for seed in seeds] for side in (row, reference))
        changed = [metric for metric in TESTED.values() if metric.output == FOCUS.name or not name.endswith(POSTHOC)]
        tests += [(name, metric.name, paired_test(metric, ours, theirs, swaps)) for metric in changed]
    adjusted = zip(tests, holm([test.p for _, _, test in tests]), strict=True)
    return [_describe_test(*test, p_adjusted, scored, settings) for test, p_adjusted in adjusted]


def _describe_test(
    name: str, metric: str, test: PairedTest, p_adjusted: float, scored: Mapping[str, Scored], settings: CompareSettings
) -> PairedTestFacts:
    row, reference = scored[name], scored[settings.reference]
    seeds = common_seeds(row, reference)
    by_seed = [float(row.estimates[seed].overall[metric] - reference.estimates[seed].overall[metric]) for seed in seeds]
    estimate = interval(difference(row, reference, metric))
    significant = p_adjusted <= settings.recommendation.significance
    gain = TESTED[metric].better.gain(estimate.value or 0.0)
    verdict: Verdict = ("better" if gain > 0 else "worse") if significant else "no difference shown"
    return PairedTestFacts(
        a=name,
        b=settings.reference,
        metric=metric,
        better=TESTED[metric].better,
        seeds=seeds,
        faces=len(reference.first),
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        std=deviation(by_seed),
        **asdict(test),
        p_adjusted=p_adjusted,
        significant=significant,
        verdict=verdict,
    )


def _dummy_row(dummy: Predictions, score: Callable[[Sequence[Predictions]], Scored]) -> DummyRow:
    """Scores of the dummy predictor; it has no seeds."""
    first = dummy.faces.iloc[0]
    predicts: dict[str, str | float] = {}
    for output in OUTPUTS.values():
        answer = first[output.predicted]
        if output.kind is Kind.REGRESSION:
            predicts[f"{output.name}_years"] = float(answer)
        else:
            predicts[output.name] = dummy.labels.names(output.name)[answer]
    return DummyRow(predicts=predicts, **measure(score([dummy]), dummy.labels, seeds=False))
