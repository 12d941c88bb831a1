"""Whether anything is new since the champion was made: the first step of a scheduled run."""

import logging
from typing import Any, NamedTuple

from components.gates.champion import champion_at, find_reasons, read_champion, reference_profile
from components.registries.registry import Registry
from components.sources.source import Source

_log = logging.getLogger(__name__)

TRAIN, NOTHING_NEW = "train", "nothing new"


class News(NamedTuple):
    """What a scheduled run starts from.

    Attributes:
        verdict: :data:`TRAIN` or :data:`NOTHING_NEW`.
        source_fingerprint: Identity of the source now, so that caches hit exactly when the data is the same.
        reference: Profile of the champion's data as JSON values; empty if there is no champion.
    """

    verdict: str
    source_fingerprint: str
    reference: dict[str, Any]


def look_for_news(
    source: Source, champion: str, settings_digest: str, code: str, force: bool, registry: Registry | None = None
) -> News:
    """Return whether anything differs from what the champion was made from.

    Args:
        source: Where the faces are.
        champion: Folder of the champion; empty for the registry's.
        settings_digest: Of the settings that determine the model.
        code: Identity of the code that would run.
        force: Whether to train in any case.
        registry: Where champions are; None for none.

    Raises:
        RequestError: If the source does not exist.
        DataError: If it can't be read.
        ArtifactError: If the champion is damaged.
    """
    fingerprint = source.fingerprint()
    with champion_at(champion, registry) as folder:
        profile = reference_profile(folder) if folder else None
        reasons = find_reasons(read_champion(folder) if folder else None, fingerprint, settings_digest, code)
    if force:
        reasons = ["retrain.force is set"]
    if reasons:
        _log.info("training, because %s", " and ".join(reasons))
    else:
        _log.info("%s", nothing_new(champion or (registry.place if registry else "")))
    reference = {} if profile is None else profile.to_json()
    return News(TRAIN if reasons else NOTHING_NEW, fingerprint, reference)


def nothing_new(champion: str) -> str:
    """Return the sentence that ends a run early."""
    return (
        f"Nothing new since the champion {champion} was made: source, settings and code are the same. "
        "retrain.force or --force trains anyway."
    )
