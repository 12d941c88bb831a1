"""Put all runs side by side: score them, test them, recommend one."""

import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial

import numpy as np
import numpy.typing as npt
import pandas as pd
from threadpoolctl import threadpool_limits

from components.compare.contract import (
    Comparison,
    DummyRow,
    Gallery,
    PairedTestFacts,
    Recommendation,
    Row,
    RunFacts,
    RunKey,
    RunPlace,
    Verdict,
)
from components.compare.dataset import Dataset, describe_dataset
from components.compare.galleries import find_galleries
from components.compare.grounds import Grounds, balanced_shares, find_grounds
from components.compare.measures import deviation, interval, measure
from components.compare.provenance import describe_provenance, describe_tuning, reading_notes
from components.compare.recommendation import recommend
from components.compare.rows import RowBuilder
from components.compare.runs import POSTHOC, Networks, Run, find_networks
from components.compare.settings import CompareSettings
from components.dataset.outputs import FOCUS, OUTPUTS, Kind
from components.evaluation.bootstrap import Weighting
from components.evaluation.catalogue import TESTED
from components.evaluation.dummy import dummy_predictions
from components.evaluation.natural import natural_population
from components.evaluation.paired import PairedTest, Pairing, holm, paired_tests
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Change, Scored, View, common_seeds, score_seeds
from components.training.search import SearchResult

_log = logging.getLogger(__name__)

_ONE_THREAD = partial(threadpool_limits, limits=1, user_api="blas")
"""Products of long thin matrices: several threads gain little, and where others use the cores, they wait for each
other ten times as long as they work."""


Score = Callable[[Sequence[Predictions], str], Scored]
"""From a row's predictions by seed, and the name of the networks that made them, to its scores."""


def build_comparison(
    runs: Sequence[Run],
    data: Dataset,
    settings: CompareSettings,
    *,
    expected: Sequence[tuple[str, int]],
    searches: Mapping[str, SearchResult],
    places: Sequence[RunPlace],
    trials: pd.DataFrame | None = None,
    run: RunFacts | None = None,
) -> Comparison:
    """Put runs side by side.

    Args:
        runs: At least one, all with predictions for the faces of ``data.test`` and ``data.validation``.
        data: The data, with the counts that earlier stages took.
        settings: Resamples, tests, and the recommendation rule.
        expected: Variant and seed of every run requested; those without results are marked.
        searches: What tuning chose, by the variant that it was tuned for.
        places: Where each run's model and predictions are.
        trials: Tune's table, one row per trial and epoch; None if there was no search.
        run: Which run this is.

    Raises:
        DataError: If there are no runs, a run appears twice, or the runs are not on those faces.
    """
    started = time.monotonic()
    networks = find_networks(runs, data.test, data.validation, settings.posthoc)
    first = next(iter(networks.values())).first
    population = natural_population(data.manifest, first.predictions.cells())
    missing = [(name, seed) for name, seed in expected if name not in networks or seed not in networks[name].runs]
    validation = tested = None
    with _ONE_THREAD():
        with _scoring(first.predictions, population.shares, settings) as score:
            _log.info("test faces resampled in %.1f s", time.monotonic() - started)
            dummy = score([dummy_predictions(data.train, first.predictions)], "")
            builder = RowBuilder(first.predictions.labels, dummy, population.shares, settings)
            variants, posthoc, scored = _build_rows(networks, missing, score, builder, settings.reference)
        paired = paired_facts(scored, settings)
        if settings.reference in networks:
            tested = find_grounds(scored, settings, View.OVERALL, len(data.test))
            validation = _validate(networks, data, settings)
    recommended = recommend(
        variants | posthoc,
        paired,
        settings.reference,
        settings.recommendation,
        validation=validation,
        tested=tested,
    )
    comparison = Comparison(
        dataset=describe_dataset(data, population),
        variants=variants,
        posthoc=posthoc,
        dummy=_dummy_row(dummy),
        paired=paired,
        missing=[RunKey(variant=name, seed=seed) for name, seed in missing],
        recommended=recommended,
        tuning=describe_tuning(searches, trials),
        notes=reading_notes(settings, population, missing, {len(row.seeds) for row in variants.values()}),
        provenance=describe_provenance(data.manifest, runs[0].record.recipe, settings, len(paired)),
        runs=list(places),
        run=run or RunFacts(),
        galleries=_galleries(networks, variants | posthoc, recommended, settings),
    )
    _log.info("%d rows compared in %.1f s", len(scored), time.monotonic() - started)
    return comparison


@contextmanager
def _scoring(faces: Predictions, shares: npt.NDArray[np.float64], settings: CompareSettings) -> Iterator[Score]:
    """Give what scores predictions for some faces, with the same resamples for all."""
    observed = Weighting.observed(faces)
    with Weighting.bootstrap(faces, settings.resamples, settings.seed) as resampled:

        def score(predictions: Sequence[Predictions], networks: str) -> Scored:
            return score_seeds(predictions, observed, resampled, shares, settings.confidence, networks)

        yield score


def _build_rows(
    networks: Mapping[str, Networks],
    missing: Sequence[tuple[str, int]],
    score: Score,
    builder: RowBuilder,
    reference_name: str,
) -> tuple[dict[str, Row], dict[str, Row], dict[str, Scored]]:
    """Return the trained rows, the post-hoc rows, and what is left of all their scores to test them.

    Only the reference and the row being built have all their replicates in memory.
    """
    reference = None
    if reference_name in networks:
        reference = score(networks[reference_name].predictions, reference_name)
    variants, posthoc, trained_scores, posthoc_scores = {}, {}, {}, {}
    for name, group in networks.items():
        scored = reference if reference and name == reference_name else score(group.predictions, name)
        variants[name] = builder.trained(group, scored, reference, [seed for each, seed in missing if each == name])
        trained_scores[name] = scored.with_tested_replicates()
        adjusted = group.adjusted
        if adjusted is not None:
            scored = score(adjusted.predictions, name)
            posthoc[f"{name}{POSTHOC}"] = builder.posthoc(variants[name], adjusted, scored, reference)
            posthoc_scores[f"{name}{POSTHOC}"] = scored.with_tested_replicates()
        _log.info("%s scored, with %d of %d variants", name, len(variants), len(networks))
    return variants, posthoc, trained_scores | posthoc_scores


def _validate(networks: Mapping[str, Networks], data: Dataset, settings: CompareSettings) -> Grounds:
    """Score every row on the validation faces, re-weighted to the cells of the test set."""
    faces = next(iter(networks.values())).first.validation
    cells = faces.labels.cell_count
    shares, effective = balanced_shares(faces.cells(), data.test.cells(), cells)
    with _scoring(faces, shares, settings) as score:
        trained = {name: score(group.validation, name) for name, group in networks.items()}
        adjusted = {
            f"{name}{POSTHOC}": score(group.adjusted.validation, name)
            for name, group in networks.items()
            if group.adjusted is not None
        }
    rows = {name: scored.with_tested_replicates() for name, scored in (trained | adjusted).items()}
    return find_grounds(rows, settings, View.NATURAL, effective)


def paired_facts(scored: Mapping[str, Scored], settings: CompareSettings) -> list[PairedTestFacts]:
    """Test every row against the reference, if it has results, on every metric; adjust for the number of tests.

    With several common seeds the tests are over other faces and other seeds; with one, they are exact or permutation
    tests of the two networks. A post-hoc row is tested only on the output that it changes: its others are those of its
    variant.
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
    changes = [Change.of(scored[name], reference, {pairing.metric.name: 1.0}) for name, pairing in pairings]
    # One more than the seed of the resamples, so that the two tables of random numbers are independent.
    tests = paired_tests(
        [pairing for _, pairing in pairings],
        [change.p_value() for change in changes],
        settings.permutations,
        settings.seed + 1,
    )
    adjusted = holm([test.p for test in tests])
    return [
        _describe_test(name, pairing, change, test, p_adjusted, settings)
        for (name, pairing), change, test, p_adjusted in zip(pairings, changes, tests, adjusted, strict=True)
    ]


def _describe_test(
    name: str, pairing: Pairing, change: Change, test: PairedTest, p_adjusted: float, settings: CompareSettings
) -> PairedTestFacts:
    metric, estimate = pairing.metric, interval(change.estimate())
    significant = p_adjusted <= settings.recommendation.significance
    gain = metric.better.gain(estimate.value or 0.0)
    verdict: Verdict = ("better" if gain > 0 else "worse") if significant else "no difference shown"
    return PairedTestFacts(
        a=name,
        b=settings.reference,
        metric=metric.name,
        better=metric.better,
        seeds=[run.seed for run in pairing.a],
        faces=len(pairing.a[0]),
        difference=estimate.value,
        low=estimate.low,
        high=estimate.high,
        std=deviation([float(value) for value in change.by_seed]),
        **asdict(test),
        p_adjusted=p_adjusted,
        significant=significant,
        verdict=verdict,
    )


def _galleries(
    networks: Mapping[str, Networks], rows: Mapping[str, Row], recommended: Recommendation, settings: CompareSettings
) -> list[Gallery]:
    """Return the galleries of the network to ship, or of the reference where nothing is recommended."""
    name = recommended.variant or (settings.reference if settings.reference in rows else next(iter(rows)))
    row = rows[name]
    group = networks[row.derived_from or name]
    of_row = group.predictions if row.derived_from is None or group.adjusted is None else group.adjusted.predictions
    chosen = next((run for run in of_row if run.seed == recommended.seed), of_row[0])
    reference = None
    if name != settings.reference and settings.reference in networks:
        reference = next((run for run in networks[settings.reference].predictions if run.seed == chosen.seed), None)
    return list(find_galleries(chosen, reference, row.worst_errors.name, settings.examples, settings.seed))


def _dummy_row(dummy: Scored) -> DummyRow:
    """Scores of the dummy predictor; it has no seeds."""
    first, labels = dummy.first.faces.iloc[0], dummy.first.labels
    predicts: dict[str, str | float] = {}
    for output in OUTPUTS.values():
        answer = first[output.predicted]
        if output.kind is Kind.REGRESSION:
            predicts[f"{output.name}_years"] = float(answer)
        else:
            predicts[output.name] = labels.names(output.name)[answer]
    return DummyRow(predicts=predicts, **measure(dummy, labels, seeds=False))
