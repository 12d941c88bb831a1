"""The interface of every registry, and the one place that knows them all by name."""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from components.errors import EvenfaceError, RequestError
from components.gs_uri import is_gs_uri
from components.registries.contract import PromotionRecord
from components.registries.settings import VertexRegistrySettings

CHAMPION = "champion"
"""What registries with aliases call the champion."""

_VERTEX = re.compile(r"vertex://(?P<project>[a-z0-9.:-]+)/(?P<location>[a-z]+(-[a-z]+)+\d+)")
_MLFLOW = re.compile(r"mlflow\+(?P<uri>https?://.+)")


class RegistryError(EvenfaceError):
    """A registry can't be reached, or refuses."""


class LostRaceError(EvenfaceError):
    """Another promotion changed the champion in the meantime."""

    def __init__(self, wanted: str | None, champion: str | None) -> None:
        now = f"version {champion} the champion" if champion else "the champion another one"
        super().__init__(
            f"Version {wanted} did not become the champion, because another promotion made {now} in the meantime",
            remedy="run the same command again, to decide against that one",
        )
        self.champion = champion


@dataclass(frozen=True)
class Version:
    """The champion.

    Attributes:
        number: Its version; "unknown" where the record that names it is damaged.
        token: What the registry knows this state by: a switch fails if it is another one by then.
    """

    number: str
    token: Any = None


class Registry(Protocol):
    """Versions of a model, one of which is the champion, and every decision about them.

    Attributes:
        place: Where it is, for people.
    """

    place: str

    def champion(self) -> Version | None:
        """Return the champion, or None while there is none."""

    def versions(self) -> list[str]:
        """Return every complete version, ascending."""

    def fetch(self, version: str, folder: Path) -> None:
        """Copy a version into a folder that does not exist, and verify its digests.

        Raises:
            ArtifactError: If there is no such version, or if a file of it was changed, lost or added.
        """

    def add(self, folder: Path, record: PromotionRecord) -> str:
        """Add a recommended model, whose digests hold, as a new version, and return its number.

        It is nobody's champion yet. A version that could not be copied to its end is none.
        """

    def switch(self, record: PromotionRecord, expected: Version | None) -> None:
        """Make ``record.version`` the champion, and keep the record.

        Args:
            record: The decision.
            expected: The champion that the decision was made against.

        Raises:
            LostRaceError: If the champion is another one by now; nothing is changed then.
        """

    def keep(self, record: PromotionRecord) -> None:
        """Append a decision that changes nothing to the history."""

    def history(self) -> list[PromotionRecord]:
        """Return every decision, the oldest first."""


def check_place(place: str) -> None:
    """Check that a text names a registry, without connecting to it.

    Raises:
        RequestError: If it doesn't.
    """
    if "://" in place and not (is_gs_uri(place) or _VERTEX.fullmatch(place) or _MLFLOW.fullmatch(place)):
        raise RequestError(
            f"'{place}' names no registry",
            remedy="write a folder, gs://BUCKET/FOLDER, mlflow+https://HOST or vertex://PROJECT/LOCATION",
        )
    if match := _MLFLOW.fullmatch(place):
        from components.mlflow_server import check_uri

        check_uri(match["uri"])


def mlflow_uri_of(place: str | None) -> str | None:
    """Return the address of the MLflow server that a registry is on; None for any other registry, or for none."""
    match = _MLFLOW.fullmatch(place or "")
    return match["uri"] if match else None


def open_registry(place: str, name: str, vertex: VertexRegistrySettings) -> Registry:
    """Return the registry at a place; only its own libraries are imported.

    Args:
        place: A folder, ``gs://BUCKET/FOLDER``, ``mlflow+https://HOST`` or ``vertex://PROJECT/LOCATION``.
        name: Name of the model in MLflow and in the Vertex Model Registry.
        vertex: What the Vertex Model Registry needs besides.

    Raises:
        RequestError: If the text names no registry, or one that needs more settings or libraries.
    """
    check_place(place)
    if match := _MLFLOW.fullmatch(place):
        from components.registries.mlflow import MlflowRegistry

        return MlflowRegistry(match["uri"], name)
    if match := _VERTEX.fullmatch(place):
        from components.registries.vertex import VertexRegistry

        return VertexRegistry(match["project"], match["location"], name, vertex)
    from components.registries.folder import FolderRegistry

    if is_gs_uri(place):
        from components.registries.bucket_store import BucketStore

        return FolderRegistry(BucketStore(place))
    from components.registries.local_store import LocalStore

    return FolderRegistry(LocalStore(os.path.expanduser(place)))  # noqa: PTH111 - what a user typed into settings


def is_local(place: str) -> bool:
    """Return whether a registry is a folder of this machine."""
    return "://" not in place
