"""Decide about a challenger, switch the champion, and record the decision; or go back to an earlier champion."""

import logging
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path

from components.caller import whoami
from components.digests import verify_digests
from components.errors import ArtifactError, RequestError
from components.promote.measuring import Scorer, measure
from components.promote.policy import Incumbent, Verdict, judge, screen
from components.promote.settings import PromotionSettings
from components.recommend.contract import RecommendedModel
from components.registries.contract import ModelFacts, PromotionRecord
from components.registries.registry import LostRaceError, Registry, Version

_log = logging.getLogger(__name__)

RECORD_FILE = "promotion.json"
"""The decision, in a run's folder."""


def promote(
    registry: Registry, folder: Path, score: Scorer, settings: PromotionSettings, *, dry_run: bool = False
) -> PromotionRecord:
    """Decide whether a recommended model becomes the champion, and act on it.

    Args:
        registry: Where the champion is.
        folder: What a run recommends, with its digests.
        score: Scores a model on the current test set; called for challenger and champion alike.
        settings: Policy, and what intervals are made of.
        dry_run: Decide, and change and record nothing.

    Returns:
        The decision. A refusal is one, and no error.

    Raises:
        ArtifactError: If the challenger is damaged or can't be scored.
        LostRaceError: If another promotion changed the champion in the meantime; that too is in the history.
        RegistryError: If the registry can't be reached.
    """
    verify_digests(folder)
    challenger = RecommendedModel.read(folder)
    expected = registry.champion()
    with tempfile.TemporaryDirectory(prefix="evenface-champion-") as holder:
        champion, champion_folder = _fetch(registry, expected, Path(holder))
        verdict = screen(challenger, champion, settings.policy)
        faces = None
        if verdict is None:
            ours = score(str(folder))
            if ours.labels != challenger.labels:
                raise ArtifactError(
                    "The challenger has other classes than the test set", remedy="promote it on the test set of its run"
                )
            faces, theirs = len(ours), None
            if champion is not None and champion.facts is not None and champion.facts.labels == challenger.labels:
                try:
                    theirs = score(str(champion_folder))
                except ArtifactError as error:
                    champion = Incumbent(champion.version, None, error.problem)
                    verdict = screen(challenger, champion, settings.policy)
            verdict = verdict or judge(challenger, champion, measure(ours, theirs, settings), settings.policy)
    record = _record(verdict, challenger, champion, settings, faces)
    _log.info("%s (%s): %s", record.decision, record.case, record.reason)
    if dry_run:
        return record
    if not verdict.promote:
        registry.keep(record)
        return record
    version = registry.add(folder, record)
    facts = record.challenger.model_copy(update={"version": version}) if record.challenger else None
    return _switch(registry, record.model_copy(update={"version": version, "challenger": facts}), expected)


def rollback(registry: Registry, to: str | None = None, *, dry_run: bool = False) -> PromotionRecord:
    """Make an earlier version the champion again.

    Args:
        registry: Where the champion is.
        to: The version; None for the champion that the present one was promoted over. Naming the present champion
            writes its record anew, which mends a damaged one.
        dry_run: Say what would be done, and do nothing.

    Raises:
        RequestError: If there is no champion, nothing to go back to, or no such version.
        ArtifactError: If that version is damaged.
        LostRaceError: If another promotion changed the champion in the meantime.
    """
    expected = registry.champion()
    if expected is None:
        raise RequestError(f"{registry.place} has no champion", remedy="promote a model first")
    if to is None:
        to = _promoted_over(registry, expected)
    if to not in (known := registry.versions()):
        raise RequestError(
            f"{registry.place} has no version {to}", remedy=f"choose one of those it has: {', '.join(known) or 'none'}"
        )
    with tempfile.TemporaryDirectory(prefix="evenface-rollback-") as holder:
        # What is damaged is not served again.
        registry.fetch(to, Path(holder) / "model")
        facts = _facts(RecommendedModel.read(Path(holder) / "model"), to)
    time, identifier = _now()
    record = PromotionRecord(
        id=identifier,
        time=time,
        who=whoami(),
        decision="rolled back",
        case="rolled back",
        reason=f"Version {to} is the champion again, after version {expected.number}",
        version=to,
        previous=expected.number,
        champion=facts,
    )
    return record if dry_run else _switch(registry, record, expected)


def _promoted_over(registry: Registry, champion: Version) -> str:
    """Return the champion that the present one replaced when it was promoted: going back twice goes back two."""
    for record in reversed(registry.history()):
        if record.decision == "promoted" and record.version == champion.number and record.previous is not None:
            return record.previous
    known = ", ".join(version for version in registry.versions() if version != champion.number)
    raise RequestError(
        f"No champion is known to have come before version {champion.number}",
        remedy=f"name a version with --to: {known}" if known else "promote another model",
    )


def _switch(registry: Registry, record: PromotionRecord, expected: Version | None) -> PromotionRecord:
    try:
        registry.switch(record, expected)
    except LostRaceError as error:
        lost = {"decision": "refused", "case": "lost the race", "version": error.champion, "reason": error.problem}
        registry.keep(record.model_copy(update=lost))
        raise
    return record


def _fetch(registry: Registry, version: Version | None, holder: Path) -> tuple[Incumbent | None, Path]:
    folder = holder / "model"
    if version is None:
        return None, folder
    try:
        registry.fetch(version.number, folder)
        return Incumbent(version.number, RecommendedModel.read(folder)), folder
    except ArtifactError as error:
        # The folder's place on this machine says nothing to who reads the record.
        return Incumbent(version.number, None, error.problem.replace(f"{folder}/", "")), folder


def _record(
    verdict: Verdict,
    challenger: RecommendedModel,
    champion: Incumbent | None,
    settings: PromotionSettings,
    faces: int | None,
) -> PromotionRecord:
    time, identifier = _now()
    version = None if champion is None else champion.version
    facts = None
    if champion is not None:
        missing = ModelFacts(version=version, problem=champion.problem)
        facts = missing if champion.facts is None else _facts(champion.facts, version)
    return PromotionRecord(
        id=identifier,
        time=time,
        who=whoami(),
        decision="promoted" if verdict.promote else "refused",
        case=verdict.case,
        reason=verdict.reason,
        version=version,
        previous=version,
        challenger=_facts(challenger, None),
        champion=facts,
        test_faces=faces,
        confidence=settings.confidence if verdict.measurements else None,
        measurements=verdict.measurements,
        policy=settings.policy.model_dump(mode="json"),
    )


def _facts(model: RecommendedModel, version: str | None) -> ModelFacts:
    network = model.network
    about = {} if network is None else network.model_dump(include={"row", "variant", "seed"})
    seeds = None if network is None else len(network.validation_scores)
    return ModelFacts(version=version, standing=model.standing, fingerprint=model.fingerprint, seeds=seeds, **about)


def _now() -> tuple[str, str]:
    now = datetime.now(UTC)
    return now.isoformat(timespec="seconds"), f"{now:%Y%m%dT%H%M%S.%fZ}-{uuid.uuid4().hex[:8]}"
