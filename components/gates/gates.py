"""Compare new data with that which the champion was made from, before anything is trained."""

import logging
from collections.abc import Iterator, Mapping
from typing import Literal

import numpy as np

from components.dataset.profile import Histogram, Profile
from components.dataset.summaries import GateFinding, GatesSummary, PreprocessSummary
from components.errors import ArtifactError, DataError
from components.gates.distances import (
    Counts,
    chi_square_p,
    kolmogorov_smirnov_p,
    pool_bins,
    population_stability_index,
)
from components.gates.settings import DistributionGate, GatesSettings

_log = logging.getLogger(__name__)

_FORMATS = {"age": ".1f", "brightness": ".0f", "sharpness": ".1f", "side": ".0f", "bits_per_pixel": ".2f"}
"""How the mean of each statistic is written; ages in years, brightness of 255, side in pixels."""

_SHARES_TOLD = 4


def check_data(summary_path: str, reference: Profile | None, settings: GatesSettings, gates_path: str) -> GatesSummary:
    """Compare the data with the champion's, write what was found, and stop the run where a gate says so.

    Args:
        summary_path: What preprocess counted.
        reference: Profile of the champion's data; None if there is no champion, and then nothing is compared.
        settings: The gates.
        gates_path: JSON to write.

    Raises:
        DataError: If a gate whose action is ``stop`` does not pass. Nothing is written then.
        ArtifactError: If the summary is damaged or has no profile.
    """
    profile = PreprocessSummary.read(summary_path).profile
    if profile is None:
        raise ArtifactError(f"{summary_path} has no profile of the data", remedy="run preprocess again")
    if reference is None:
        found = GatesSummary(reference=None, findings=(), notes=("There is no champion to compare the data with.",))
        _log.info("no champion: the data is compared with nothing")
    else:
        found = compare_profiles(reference, profile, settings)
        _report(found)
    found.write(gates_path)
    return found


def compare_profiles(reference: Profile, new: Profile, settings: GatesSettings) -> GatesSummary:
    """Return how a data set compares with another.

    Args:
        reference: The champion's.
        new: The new one.
        settings: The gates; what is off is left out.
    """
    known, stated = set(reference.labels.outputs), set(new.labels.outputs)
    notes = [
        f"The {name} is not compared, because {whose} data states none."
        for whose, missing in (("this", known - stated), ("the champion's", stated - known))
        for name in sorted(missing)
    ]
    findings = [
        *_classes(reference, new, settings),
        *_rates(reference, new, settings),
        *_distributions(reference, new, settings, notes),
    ]
    return GatesSummary(reference=reference.fingerprint, findings=tuple(findings), notes=tuple(notes))


def _report(found: GatesSummary) -> None:
    """Log what was found.

    Raises:
        DataError: If a failed gate stops the run.
    """
    for note in found.notes:
        _log.info("gates: %s", note)
    for finding in found.failed:
        _log.warning("gates.%s: %s", finding.gate, finding.told)
    stopping = [finding for finding in found.failed if finding.action == "stop"]
    if stopping:
        first, more = stopping[0], len(stopping) - 1
        others = f" (and {more} more)" if more else ""
        raise DataError(
            f"The gate {first.gate} stops the run, because {first.told}{others}",
            remedy=f"look at the source, or set gates.{_key(first.gate)} to warn if this is what the data is like now",
        )
    _log.info("gates: %d of %d comparisons with the champion's data passed", *_tally(found))


def _tally(found: GatesSummary) -> tuple[int, int]:
    return len(found.findings) - len(found.failed), len(found.findings)


def _key(gate: str) -> str:
    return gate if gate == "new_classes" else f"{gate}.action"


def _classes(reference: Profile, new: Profile, settings: GatesSettings) -> Iterator[GateFinding]:
    action = settings.new_classes
    if action == "off":
        return
    for output in new.labels.classified:
        if output not in reference.labels.outputs:
            continue
        before, after = reference.source_classes.get(output, {}), new.source_classes.get(output, {})
        appeared = [name for name, count in after.items() if count and not before.get(name)]
        used = [name for name in new.classes[output] if name not in reference.classes.get(output, {})]
        lost = [name for name in reference.classes.get(output, {}) if name not in new.classes[output]]
        parts = []
        if appeared:
            counts = ", ".join(f"{after[name]} of {_named(name)}" for name in appeared)
            parts.append(f"the source has faces that the champion's had none of ({counts})")
        if used:
            parts.append(f"{' and '.join(used)} is used, which the champion does not know")
        if lost:
            parts.append(f"{' and '.join(lost)} is not used, which the champion knows")
        told = f"{output}: {'; '.join(parts) or 'the classes are those of the champion'}"
        yield GateFinding(gate="new_classes", subject=output, passed=not parts, action=action, told=told)


def _named(name: str) -> str:
    return "an unknown code" if name == "unknown" else name


def _rates(reference: Profile, new: Profile, settings: GatesSettings) -> Iterator[GateFinding]:
    for key, subject, gate, before, after in (
        ("reject_rate", "faulty files", settings.reject_rate, _faults(reference), _faults(new)),
        ("duplicate_rate", "copies", settings.duplicate_rate, _copies(reference), _copies(new)),
    ):
        if gate.action == "off":
            continue
        old, now = (found / max(every, 1) for found, every in (before, after))
        p = chi_square_p(*(np.array([found, every - found]) for found, every in (before, after)))
        yield GateFinding(
            gate=key,
            subject=subject,
            passed=now - old <= gate.increase or p > settings.significance,
            action=gate.action,
            test="chi_square",
            p=_rounded(p),
            effect=_rounded(now - old),
            limit=gate.increase,
            reference=_rounded(old),
            value=_rounded(now),
            told=f"{now:.1%} of the files are {subject} and {old:.1%} of the champion's were "
            f"(a rise of {100 * (now - old):.1f} points, limit {100 * gate.increase:g})",
        )


def _faults(profile: Profile) -> tuple[int, int]:
    return profile.faults, profile.candidates


def _copies(profile: Profile) -> tuple[int, int]:
    return profile.copies, profile.readable


def _distributions(
    reference: Profile, new: Profile, settings: GatesSettings, notes: list[str]
) -> Iterator[GateFinding]:
    if settings.labels.action != "off":
        shared = [name for name in new.labels.outputs if name in reference.labels.outputs]
        for output in shared:
            if output == "age":
                continue
            before, after = reference.classes.get(output, {}), new.classes[output]
            yield _compare_classes("labels", output, before, after, settings.labels, settings)
        if "age" in shared:
            yield from _compare_histograms("labels", "age", reference.ages, new.ages, settings.labels, settings, notes)
    if settings.cells.action != "off":
        if reference.labels == new.labels:
            yield _compare_classes("cells", "cells", reference.cells, new.cells, settings.cells, settings)
        else:
            notes.append("The cells are not compared, because the champion has other classes or age bins.")
    if settings.images.action != "off":
        for name, histogram in new.images.items():
            old = reference.images.get(name)
            yield from _compare_histograms("images", name, old, histogram, settings.images, settings, notes)


def _compare_classes(
    key: str,
    subject: str,
    before: Mapping[str, int],
    after: Mapping[str, int],
    gate: DistributionGate,
    settings: GatesSettings,
) -> GateFinding:
    names = sorted({*before, *after})
    old, new = (np.array([counts.get(name, 0) for name in names]) for counts in (before, after))
    shares = [counts / max(int(counts.sum()), 1) for counts in (old, new)]
    moved = np.argsort(-np.abs(shares[1] - shares[0]), kind="stable")[:_SHARES_TOLD]
    changes = ", ".join(f"{names[place]} {shares[0][place]:.1%} → {shares[1][place]:.1%}" for place in moved.tolist())
    index, p = population_stability_index(old, new), chi_square_p(old, new)
    told = changes if subject == key else f"{subject}: {changes}"
    return _finding(key, subject, "chi_square", index, p, told, gate, settings)


def _compare_histograms(
    key: str,
    subject: str,
    before: Histogram | None,
    after: Histogram,
    gate: DistributionGate,
    settings: GatesSettings,
    notes: list[str],
) -> Iterator[GateFinding]:
    if before is None or not _same_bins(before, after):
        notes.append(f"The {subject} is not compared, because the champion's is counted in other bins.")
        return
    old, new = _aligned(before, after)
    groups = pool_bins(old)
    index = population_stability_index(*(np.bincount(groups, counts).astype(np.int64) for counts in (old, new)))
    from_, to = (f"{histogram.mean:{_FORMATS[subject]}}" for histogram in (before, after))
    told = f"{subject.replace('_', ' ')}: mean {from_} → {to}"
    finding = _finding(key, subject, "kolmogorov_smirnov", index, kolmogorov_smirnov_p(old, new), told, gate, settings)
    yield finding.model_copy(update={"reference": before.mean, "value": after.mean})


def _same_bins(before: Histogram, after: Histogram) -> bool:
    """Return whether the shorter one's bins are the other's first ones, as where only the highest age differs."""
    shorter = min(len(before.edges), len(after.edges))
    return before.edges[:shorter] == after.edges[:shorter]


def _aligned(before: Histogram, after: Histogram) -> tuple[Counts, Counts]:
    bins = max(len(before.counts), len(after.counts))
    old, new = (np.array([*each.counts, *[0] * (bins - len(each.counts))], np.int64) for each in (before, after))
    return old, new


def _finding(
    key: str,
    subject: str,
    test: Literal["chi_square", "kolmogorov_smirnov"],
    index: float,
    p: float,
    told: str,
    gate: DistributionGate,
    settings: GatesSettings,
) -> GateFinding:
    passed = index < gate.psi or p > settings.significance
    limit = f"population stability index {index:.2f}, limit {gate.psi:g}"
    return GateFinding(
        gate=key,
        subject=subject,
        passed=passed,
        action="stop" if gate.action == "stop" else "warn",
        test=test,
        p=_rounded(p),
        effect=_rounded(index),
        limit=gate.psi,
        told=f"{told} ({limit})",
    )


def _rounded(value: float) -> float:
    return round(value, 6)
