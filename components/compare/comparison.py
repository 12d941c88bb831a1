"""All runs side by side, as the one dictionary that ``comparison.json`` and the report show.

The dictionary holds JSON values alone; a number that is undefined is null.

- ``format``: 1.
- ``dataset``: see :func:`components.compare.data_facts.describe_data`.
- ``variants``: by name, a row per variant that has results. An interval is ``value`` (mean over the
  seeds), ``low`` and ``high``; a headline adds ``std`` (over the seeds, ddof 1; null with one) and
  ``by_seed``. A row has ``title``, ``kind``, ``source``, ``cures``, ``status`` (``complete``, or
  ``incomplete`` with ``missing_seeds``), ``seeds``; a headline per metric of
  :data:`~components.evaluation.metrics.HEADLINES`; per class and age bin plain values, and the same with
  intervals under ``intervals``; confusions (truth in rows; faces summed over the seeds; ``…_normalised``
  per row); ``groups`` (per metric: ``overall``, ``by_group``, ``worst``, ``best``, ``difference``);
  ``natural``; ``difference_to_reference`` (null for the reference, or without a common seed);
  ``age_error_by_age``; ``examples`` and ``worst_errors`` (of the first seed); and how it was trained,
  by seed where seeds differ.
- ``posthoc``: the same for ``<variant>+posthoc``, with ``derived_from`` and ``tau``; its
  ``class_priors`` are the shares that were taken off.
- ``floor``: the constant predictor: what it ``predicts``, and its metrics.
- ``paired``: every test against the reference, adjusted by Holm for all of them. A post-hoc row is
  tested on ethnicity alone: its other outputs are those of the variant it is derived from.
- ``missing``: runs that were asked for and gave no results.
- ``recommended``: see :func:`components.compare.recommendation.recommend`.
- ``tuning``, ``notes``, ``provenance``: how fair the comparison is, how to read it, what made it.
"""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from components.compare.data_facts import DataFacts, describe_data
from components.compare.provenance import describe_provenance, describe_tuning, reading_notes
from components.compare.recommendation import recommend
from components.compare.rows import interval, metric_values, number
from components.compare.runs import POSTHOC, Run, adjust_runs, group_runs, output_priors
from components.compare.settings import ComparisonSettings
from components.compare.variant_rows import RowBuilder
from components.evaluation.bootstrap import Weighting
from components.evaluation.dummy import constant_predictions
from components.evaluation.metrics import HEADLINES
from components.evaluation.natural import natural_population
from components.evaluation.paired import TESTED, holm, paired_test, random_swaps
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Scored, common_seeds, difference, score_seeds

_log = logging.getLogger(__name__)


def build_comparison(
    runs: Sequence[Run],
    data: DataFacts,
    settings: ComparisonSettings,
    *,
    expected: Sequence[tuple[str, int]] = (),
    searches: Mapping[str, Mapping[str, Any]] | None = None,
) -> dict[str, Any]:
    """Put runs side by side.

    Args:
        runs: At least one, all about the faces of ``data.test``.
        data: The data and what was counted on the way.
        settings: Resamples, tests, and the rule of the recommendation.
        expected: Variant and seed of every run that was asked for; those without results are marked.
        searches: What tuning chose, by the variant that it was tuned for: ``values``, ``trials``, ``source``.

    Returns:
        The dictionary that this module describes.

    Raises:
        DataError: If there is no run, a run comes twice, or the runs are not about the test faces.
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
        variants[name] = builder.trained(group, scored[name], [seed for each, seed in missing if each == name])
        priors = output_priors(group) if settings.posthoc.enabled else None
        if priors is not None:
            adjusted = f"{name}{POSTHOC}"
            scored[adjusted] = score(adjust_runs(group, priors, settings.posthoc.tau))
            posthoc[adjusted] = builder.posthoc(variants[name], scored[adjusted], priors, name)
    paired = paired_tests(scored, settings)
    primary = settings.recommendation.primary_metric
    comparison = {
        "format": 1,
        "dataset": describe_data(data, population),
        "variants": variants,
        "posthoc": posthoc,
        "floor": _floor(data, score, faces),
        "paired": paired,
        "missing": [{"variant": name, "seed": seed} for name, seed in missing],
        "recommended": recommend(
            variants | posthoc,
            paired,
            settings.reference,
            settings.recommendation,
            lambda a, b: (
                interval(difference(scored[a], scored[b], primary))
                if common_seeds(scored[a], scored[b])
                else {"value": None, "low": None, "high": None}
            ),
        ),
        "tuning": describe_tuning(searches or {}),
        "notes": reading_notes(settings, population, missing),
        "provenance": describe_provenance(data.manifest, [run.about for run in runs], settings, len(paired)),
    }
    _log.info("%d rows compared in %.1f s", len(scored), time.monotonic() - started)
    return comparison


def paired_tests(scored: Mapping[str, Scored], settings: ComparisonSettings) -> list[dict[str, Any]]:
    """Test every row against the reference on every metric, and adjust for the number of tests.

    Args:
        scored: Rows by name, trained and post-hoc.
        settings: The reference, the permutations and the level.

    Returns:
        One entry per test; none when the reference has no results. ``difference`` is ``a`` less ``b``
        over their common seeds with its bootstrap interval, ``std`` its standard deviation
        over the seeds; ``p_adjusted`` is by Holm over the list.
    """
    reference = scored.get(settings.reference)
    if reference is None:
        return []
    faces = len(next(iter(reference.predictions.values())))
    # One more than the seed of the resamples, so that the two tables of random numbers are independent.
    swaps = random_swaps(faces, settings.permutations, settings.seed + 1)
    entries = []
    for name, row in scored.items():
        seeds = common_seeds(row, reference)
        if name == settings.reference or not seeds:
            continue
        ours, theirs = ([side.predictions[seed] for seed in seeds] for side in (row, reference))
        for metric, better in TESTED.items():
            if name.endswith(POSTHOC) and not metric.startswith("ethnicity"):
                continue
            test = paired_test(metric, ours, theirs, swaps)
            by_seed = [float(row.estimates[seed][metric] - reference.estimates[seed][metric]) for seed in seeds]
            found = interval(difference(row, reference, metric))
            entry: dict[str, Any] = {
                "a": name,
                "b": settings.reference,
                "metric": metric,
                "better": better,
                "test": test.test,
                "seeds": seeds,
                "faces": faces,
                "difference": found["value"],
                "low": found["low"],
                "high": found["high"],
                "std": number(float(np.std(by_seed, ddof=1))) if len(seeds) > 1 else None,
                "p": test.p,
            }
            if test.by_seed:
                entry["by_seed"] = {
                    str(seed): {"a_only": one.a_only, "b_only": one.b_only, "p": one.p}
                    for seed, one in test.by_seed.items()
                }
            entries.append(entry)
    for entry, p_adjusted in zip(entries, holm([entry["p"] for entry in entries]), strict=True):
        significant = p_adjusted <= settings.recommendation.significance
        gain = entry["difference"] * (-1 if entry["better"] == "lower" else 1)
        verdict = ("better" if gain > 0 else "worse") if significant else "no difference shown"
        entry |= {"p_adjusted": p_adjusted, "significant": significant, "verdict": verdict}
    return entries


def _floor(data: DataFacts, score: Callable[[Sequence[Predictions]], Scored], faces: Predictions) -> dict[str, Any]:
    """Scores of the constant predictor; it has no seeds."""
    constant = constant_predictions(data.train, faces)
    values = metric_values(score([constant]), faces.labels)
    for name in HEADLINES:
        values[name] = {key: values[name][key] for key in ("value", "low", "high")}
    first = constant.faces.iloc[0]
    return {
        "predicts": {
            "age_years": float(first["predicted_age"]),
            "gender": faces.labels.genders[first["predicted_gender"]],
            "ethnicity": faces.labels.ethnicities[first["predicted_ethnicity"]],
        },
        **values,
    }
