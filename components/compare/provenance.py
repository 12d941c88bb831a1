"""How to read a comparison, how fair it is, and what it was made from."""

import importlib.metadata
import platform
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import PurePath

import pandas as pd

from components.compare.contract import Provenance, RunFacts, Trial, Tuning
from components.compare.measures import number
from components.compare.settings import CompareSettings, ReportSettings
from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.evaluation.natural import NaturalPopulation
from components.gs_uri import is_gs_uri
from components.model.settings import Hyperparameters
from components.training.recipe import Recipe
from components.training.search import SearchResult

_PACKAGES = ("evenface", "numpy", "scipy", "statsmodels", "pandas", "keras", "tensorflow", "tensorflow-cpu")


def describe_run(source: str, settings: ReportSettings) -> RunFacts:
    """Return which run this is; ``source`` is a URI or a path, of which only the last part is told."""
    return RunFacts(
        name=settings.name,
        date=f"{datetime.now(UTC):%Y-%m-%d}",
        source=source if is_gs_uri(source) else PurePath(source).name,
        preset=settings.preset,
        command=settings.command,
    )


def describe_trials(table: pd.DataFrame) -> dict[str, list[Trial]]:
    """Return the trials of each search by variant, from tune's table of one row per trial and epoch."""
    history: dict[str, list[Trial]] = {}
    names = [name for name in Hyperparameters.model_fields if name in table]
    if "val_score" not in table or "variant" not in table:
        return history
    for (variant, trial), epochs in table.groupby(["variant", "trial"], sort=False):
        facts = Trial(
            trial=str(trial),
            status=str(epochs["status"].iloc[-1]),
            epochs=int(epochs["epoch"].max()),
            score=number(float(epochs["val_score"].astype("float64").min())),
            hyperparameters={name: number(float(epochs[name].iloc[-1])) for name in names},
        )
        history.setdefault(str(variant), []).append(facts)
    return history


def describe_tuning(searches: Mapping[str, SearchResult], trials_table: pd.DataFrame | None = None) -> Tuning:
    """Say how fairly the variants' hyperparameters were chosen, judging by the search for each."""
    trials = {name: search.trials for name, search in searches.items()}
    scope = "per_variant" if len(searches) > 1 else next(iter(searches), None)
    longest = max(trials.values(), default=0)
    if not longest:
        note = "All variants train with the same hyperparameters, fixed in the settings with no search."
    elif len(searches) == 1:
        note = (
            f"All variants train with the hyperparameters that a search of {trials[str(scope)]} trials chose for "
            f"{scope}; no other variant had a search of its own."
        )
    elif len(set(trials.values())) == 1:
        note = f"Each variant trains with hyperparameters of its own, from equal searches of {longest} trials."
    else:
        lengths = ", ".join(f"{name} {count}" for name, count in trials.items())
        length = f"searches of unequal length (trials: {lengths})"
        note = f"Each variant trains with hyperparameters of its own, from {length}."
    return Tuning(
        scope=scope,
        fixed=not longest,
        trials=longest,
        searches=dict(searches),
        note=note,
        history={} if trials_table is None else describe_trials(trials_table),
    )


def reading_notes(
    settings: CompareSettings,
    population: NaturalPopulation,
    missing: Sequence[tuple[str, int]],
    seed_counts: Collection[int],
    labels: Labels,
) -> list[str]:
    """Return sentences that a reader of the numbers must know; ``seed_counts`` are the rows' numbers of seeds."""
    notes = [
        f"Intervals cover {settings.confidence:.0%}: percentiles of {settings.resamples} bootstrap resamples of the "
        f"test faces, drawn within each {labels.cell_kind} cell, the same draws for all variants.",
        *_about_seeds(seed_counts),
        *_about_choice(settings),
        "Intervals use the cells of the test set and are not adjusted for the number of comparisons; the tests are. "
        "Where the two disagree, the verdict follows the test.",
        "The worst group is found by looking at the same faces; its interval, and that of the gap between groups, "
        "allow for that search. The estimates do not: the worst group's is somewhat pessimistic, the gap's too large.",
        "Probabilities are calibrated for the faces that a network saw; on a balanced test set even a perfect network "
        "of the natural population is too sure of the common classes. Calibration errors of few faces are biased "
        "upwards.",
        f"{' and '.join(labels.classified).capitalize()} labels are categories as perceived by annotators.",
    ]
    if population.absent_cells:
        notes.append(
            f"The estimates for the natural population leave out {1 - population.covered_share:.1%} of it, which is in "
            f"{len(population.absent_cells)} cells without a test face."
        )
    if missing:
        names = ", ".join(f"{name} with seed {seed}" for name, seed in missing)
        notes.append(f"There are no results for: {names}.")
    return notes


def _about_seeds(seed_counts: Collection[int]) -> Iterator[str]:
    """Say what intervals and tests are over, according to the rows' numbers of seeds."""
    if max(seed_counts) > 1:
        yield (
            "Where a row has several seeds, its intervals and tests are over other test faces and other seeds: each "
            "resample of the faces gets an error with the seeds' variance from Student's distribution. With two or "
            "three seeds that distribution is wide, because three networks say little about a fourth."
        )
    if min(seed_counts) == 1:
        yield (
            "Where a row has one seed, its intervals and tests are over other test faces only and take the trained "
            "network as given. A significant difference then says that two networks differ, not that training again "
            "with the cure would help."
        )


def _about_choice(settings: CompareSettings) -> Iterator[str]:
    if settings.recommendation.chosen_on == "test":
        yield (
            "The recommended row is chosen by its result on these same test faces, so its gain is somewhat optimistic, "
            "the more so the more rows were compared."
        )
    else:
        yield (
            "The recommended row was chosen on the validation faces, re-weighted to the cells of the test set, and "
            "judged on the test set: other faces, but the same networks. Its numbers carry no luck of the faces; that "
            "of its seeds is allowed for in the p-value. The other rows' numbers carry both, if one is picked by them."
        )


def describe_provenance(manifest: Manifest, recipe: Recipe, settings: CompareSettings, tests: int) -> Provenance:
    """Return what the comparison was made from and by which methods; ``tests`` is the number adjusted for."""
    has_ages = "age" in manifest.labels.outputs
    return Provenance(
        fingerprint=manifest.fingerprint,
        settings=settings,
        training=recipe,
        versions=_versions(),
        methods={
            "intervals": "stratified paired bootstrap of the faces with Student errors for the seeds, percentiles",
            "tests": "several seeds: difference against the faces' and the seeds' error; one seed: exact McNemar for "
            f"accuracies, paired permutation of faces for {'age MAE and ' if has_ages else ''}macro F1",
            "adjustment": f"Holm, {tests} tests",
        },
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
