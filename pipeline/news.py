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
    from components.gates.champion import reference_profile

    profile = reference_profile(settings.gates.reference) if settings.gates.reference else None
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
    champion = settings.gates.reference
    if force or settings.retrain.force or not champion:
        return True
    from components.gates.champion import find_reasons, read_champion
    from components.gates.news import nothing_new

    reasons = find_reasons(read_champion(champion), source_fingerprint, settings.digest(), code)
    typer.echo(f"Training, because {' and '.join(reasons)}." if reasons else nothing_new(champion))
    return bool(reasons)
