"""What is known about the champion: the profile of its data, and what it was made from."""

import json
import logging
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from components.dataset.profile import PROFILE_FILE, Profile
from components.errors import ArtifactError
from components.gs_uri import GsUri, is_gs_uri
from components.recommend.contract import RECOMMENDED_FILE, RecommendedModel
from components.registries.registry import Registry

_log = logging.getLogger(__name__)


def reference_profile(uri: str) -> Profile | None:
    """Return the profile of the data that a champion was made from.

    Args:
        uri: A folder ``recommended/``, local or ``gs://``, or the profile in it.

    Returns:
        None if there is nothing at that place, or a model that was packaged without a profile.

    Raises:
        ArtifactError: If the profile is damaged or can't be read.
    """
    place = uri if uri.endswith(".json") else f"{uri.rstrip('/')}/{PROFILE_FILE}"
    content = _read(place)
    if content is None:
        _log.warning("there is no champion's profile at %s, so the data is compared with nothing", place)
        return None
    return Profile.parse(content, place)


def read_champion(uri: str) -> RecommendedModel | None:
    """Return the record of the champion, which says what it was made from.

    Args:
        uri: A folder ``recommended/``, local or ``gs://``.

    Returns:
        None if there is no record at that place, or where the place is that of a profile alone.

    Raises:
        ArtifactError: If the record is damaged or can't be read.
    """
    if uri.endswith(".json"):
        return None
    place = f"{uri.rstrip('/')}/{RECOMMENDED_FILE}"
    content = _read(place)
    return None if content is None else RecommendedModel.parse(content, place)


@contextmanager
def champion_at(place: str | None, registry: Registry | None) -> Iterator[str]:
    """Give the folder of the champion: the place that is named, or else what the registry calls the champion.

    Args:
        place: As :func:`reference_profile` takes it; None for the registry's champion.
        registry: Where champions are; None for none.

    Yields:
        A folder, or a profile in one; empty if there is no champion. What comes from a registry is there only as long
        as the block lasts.
    """
    version = None if place or registry is None else registry.champion()
    if registry is None or version is None:
        yield place or ""
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "champion"
        registry.fetch(version.number, folder)
        yield str(folder)


def find_reasons(
    champion: RecommendedModel | None, source_fingerprint: str, settings_digest: str, code: str
) -> Sequence[str]:
    """Return why training makes sense: what differs from that which the champion was made from; empty for nothing.

    Args:
        champion: The champion's record; None if there is none, which is a reason.
        source_fingerprint: Identity of the source now.
        settings_digest: Of the settings that determine the model.
        code: Identity of the code that would run.
    """
    if champion is None:
        return ["there is no champion"]
    compared = {
        "the source": (champion.source_fingerprint, source_fingerprint),
        "the settings": (champion.settings_digest, settings_digest),
        "the code": (champion.code, code),
    }
    return [
        f"{name} differ{'s' if name != 'the settings' else ''} from the champion's" if before else
        f"the champion does not say {name}"
        for name, (before, now) in compared.items()
        if before != now or not before
    ]  # fmt: skip


def _read(place: str) -> Any:
    """Return the JSON at a place, None if there is nothing."""
    try:
        text = _read_object(GsUri.parse(place)) if is_gs_uri(place) else Path(place).read_bytes()
        return None if text is None else json.loads(text)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ArtifactError(f"{place} can't be read ({reason})", remedy="let this user read it") from None
    except ValueError as error:
        raise ArtifactError(f"{place} is not JSON ({error})", remedy="promote a model anew") from None


def _read_object(uri: GsUri) -> bytes | None:
    from google.api_core.exceptions import GoogleAPIError, NotFound
    from google.auth.exceptions import GoogleAuthError

    try:
        content = uri.open_bucket().blob(uri.path).download_as_bytes()
    except NotFound:
        return None
    except (GoogleAPIError, GoogleAuthError) as error:
        reason = " ".join(str(error).split())
        raise ArtifactError(f"{uri} can't be read ({reason})", remedy="check the name and the credentials") from None
    return bytes(content)
