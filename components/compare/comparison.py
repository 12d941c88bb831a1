"""Put all runs side by side: score them, test them, recommend one."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial

from threadpoolctl import threadpool_limits

from components.compare.contract import (
    Comparison,
    DummyRow,
    Interval,
    PairedTestFacts,
    Row,
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
from components.dataset.labels import Labels
from components.dataset.outputs import FOCUS, OUTPUTS, Kind
from components.evaluation.bootstrap import Weighting
from components.evaluation.catalogue import TESTED
from components.evaluation.dummy import dummy_predictions
from components.evaluation.natural import natural_population
from components.evaluation.paired import PairedTest, Pairing, holm, paired_tests
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Scored, common_seeds, difference, score_seeds
from components.training.search import SearchResult

_log = logging.getLogger(__name__)

_ONE_THREAD = partial(threadpool_limits, limits=1, user_api="blas")
"""Products of long thin matrices: several threads gain little, and where others use the cores, they wait for each
other ten times as long as they work."""


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
    missing = [(name, seed) for name, seed in expected if seed not in grouped.get(name, {})]
    with _ONE_THREAD(), Weighting.bootstrap(faces, settings.resamples, settings.seed) as resampled:
        _log.info(
            "%d resamples of %d test faces drawn in %.1f s", settings.resamples, len(faces), time.monotonic() - started
        )

        def score(predictions: Sequence[Predictions]) -> Scored:
            return score_seeds(predictions, observed, resampled, population.shares, settings.confidence)

        variants, posthoc, scored = _build_rows(grouped, missing, score, faces.labels, settings)
        dummy = _dummy_row(dummy_predictions(data.train, faces), score)
        paired = paired_facts(scored, settings)

    def between(first: str, second: str) -> Interval:
        if not common_seeds(scored[first], scored[second]):
            return Interval(value=None, low=None, high=None)
        return interval(difference(scored[first], scored[second], settings.recommendation.primary_metric))

    comparison = Comparison(
        dataset=describe_dataset(data, population),
        variants=variants,
        posthoc=posthoc,
        dummy=dummy,
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


def _build_rows(
    grouped: Mapping[str, Mapping[int, Run]],
    missing: Sequence[tuple[str, int]],
    score: Callable[[Sequence[Predictions]], Scored],
    labels: Labels,
    settings: CompareSettings,
) -> tuple[dict[str, Row], dict[str, Row], dict[str, Scored]]:
    """Return the trained rows, the post-hoc rows, and what is left of all their scores to test them.

    Only the reference and the row being built have all their replicates in memory.
    """

    def score_group(name: str) -> Scored:
        return score([run.predictions for run in grouped[name].values()])

    reference = score_group(settings.reference) if settings.reference in grouped else None
    builder = RowBuilder(labels, reference, settings)
    variants, posthoc, trained_scores, posthoc_scores = {}, {}, {}, {}
    for name, group in grouped.items():
        scored = reference if reference and name == settings.reference else score_group(name)
        variants[name] = builder.trained(group, scored, [seed for variant, seed in missing if variant == name])
        trained_scores[name] = scored.with_tested_replicates()
        priors = output_priors(group) if settings.posthoc.enabled else None
        if priors is not None:
            scored = score(adjust_runs(group, priors, settings.posthoc.tau))
            posthoc[f"{name}{POSTHOC}"] = builder.posthoc(variants[name], scored, priors, name)
            posthoc_scores[f"{name}{POSTHOC}"] = scored.with_tested_replicates()
        _log.info("%s scored, with %d of %d variants", name, len(variants), len(grouped))
    return variants, posthoc, trained_scores | posthoc_scores


def paired_facts(scored: Mapping[str, Scored], settings: CompareSettings) -> list[PairedTestFacts]:
    """Test every row against the reference, if it has results, on every metric; adjust for the number of tests.

    A post-hoc row is tested only on the output that it changes: its others are those of its variant.
    """
    reference = scored.get(settings.reference)
    if reference is None:
        return []
    pairings: list[tuple[str, Pairing]] = []
    for name, row in scored.items():
        seeds = common_seeds(row, reference)
        if name == settings.reference or not seeds:
            continue
        ours, theirs = ([side.predictions[seed] for seed in seeds] for side in (row, reference))
        changed = [metric for metric in TESTED.values() if metric.output == FOCUS.name or not name.endswith(POSTHOC)]
        pairings += [(name, Pairing(metric, ours, theirs)) for metric in changed]
    # One more than the seed of the resamples, so that the two tables of random numbers are independent.
    tests = paired_tests([pairing for _, pairing in pairings], settings.permutations, settings.seed + 1)
    adjusted = holm([test.p for test in tests])
    return [
        _describe_test(name, pairing.metric.name, test, p_adjusted, scored, settings)
        for (name, pairing), test, p_adjusted in zip(pairings, tests, adjusted, strict=True)
    ]


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
