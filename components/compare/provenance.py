"""How to read a comparison, how fair it is, and what it was made from."""

import importlib.metadata
import platform
from collections.abc import Mapping, Sequence
from contextlib import suppress

from components.compare.contract import Provenance, Tuning
from components.compare.settings import CompareSettings
from components.dataset.manifest import Manifest
from components.evaluation.natural import NaturalPopulation
from components.training.recipe import Recipe
from components.training.search import SearchResult

_PACKAGES = ("evenface", "numpy", "scipy", "statsmodels", "pandas", "keras", "tensorflow", "tensorflow-cpu")


def describe_tuning(searches: Mapping[str, SearchResult]) -> Tuning:
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
    return Tuning(scope=scope, fixed=not longest, trials=longest, searches=dict(searches), note=note)


def reading_notes(
    settings: CompareSettings, population: NaturalPopulation, missing: Sequence[tuple[str, int]]
) -> list[str]:
    """Return sentences that a reader of the numbers must know."""
    notes = [
        f"Intervals cover {settings.confidence:.0%}: percentiles of {settings.resamples} bootstrap resamples of the "
        f"test faces, drawn within each gender × ethnicity × age-bin cell, the same draws for all variants.",
        "Intervals and tests allow for other test faces but take the trained networks as given; how much another "
        "seed would change a number is shown by its standard deviation over the seeds.",
        "With one seed, a significant difference says that two trained networks differ, not that training again with "
        "the cure would help: train several seeds before relying on it.",
        "The recommended row is chosen by its result on these same test faces, so its gain is somewhat optimistic, "
        "the more so the more rows were compared.",
        "Intervals use the cells of the test set and are not adjusted for the number of comparisons; the tests are "
        "adjusted and randomly swap the two variants' answers on each face. Where the two disagree, the verdict "
        "follows the test.",
        "The interval of a gap between groups never reaches zero: it is not a test of equality.",
        "The worst group is chosen by looking at the same faces, so its value is somewhat pessimistic, and the gap "
        "between groups somewhat too large; their differences from the reference share that bias.",
        "Gender and ethnicity labels are categories as perceived by annotators.",
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


def describe_provenance(manifest: Manifest, recipe: Recipe, settings: CompareSettings, tests: int) -> Provenance:
    """Return what the comparison was made from and by which methods; ``tests`` is the number adjusted for."""
    return Provenance(
        fingerprint=manifest.fingerprint,
        settings=settings,
        training=recipe,
        versions=_versions(),
        methods={
            "intervals": "stratified paired bootstrap, percentiles",
            "tests": "exact McNemar for accuracies (exact sign-flip over several seeds); paired permutation of "
            "faces for age MAE and macro F1",
            "adjustment": f"Holm, {tests} tests",
        },
    )


def _versions() -> dict[str, str]:
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        with suppress(importlib.metadata.PackageNotFoundError):
            versions[package] = importlib.metadata.version(package)
    return versions
