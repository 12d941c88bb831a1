"""What a run is told about the champion, and whether there is a reason for the run at all."""

from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from pipeline.settings import Settings


def reference_of(settings: "Settings") -> dict[str, Any]:
    """Return the pipeline's parameter ``reference``, by name: none without a champion.

    Raises:
        ArtifactError: If the champion's profile is damaged.
    """
    from components.gates.champion import champion_at, reference_profile

    with champion_at(settings.gates.reference, settings.promotion.open_registry()) as champion:
        profile = reference_profile(champion) if champion else None
    return {} if profile is None else {"reference": profile.to_json()}


def anything_is_new(settings: "Settings", source_fingerprint: str, code: str, *, force: bool) -> bool:
    """Return whether a run would differ from the one that made the champion; if not, say so.

    Args:
        settings: As the pipeline is built with.
        source_fingerprint: Identity of the source now.
        code: Identity of the code: the stages' image.
        force: Whether to run in any case, as with ``retrain.force``.

    Raises:
        ArtifactError: If the champion's record is damaged.
    """
    place = settings.gates.reference or settings.promotion.registry
    if force or settings.retrain.force or not place:
        return True
    from components.gates.champion import champion_at, find_reasons, read_champion
    from components.gates.news import nothing_new

    with champion_at(settings.gates.reference, settings.promotion.open_registry()) as champion:
        known = read_champion(champion) if champion else None
    reasons = find_reasons(known, source_fingerprint, settings.digest(), code)
    typer.echo(f"Training, because {' and '.join(reasons)}." if reasons else nothing_new(place))
    return bool(reasons)
