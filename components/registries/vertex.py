"""The Vertex Model Registry: versions of a model, and its alias ``champion``, with the files in a bucket."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import google.auth
import grpc
from google.api_core import exceptions
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.model_service.transports import ModelServiceGrpcTransport

from components.errors import RequestError
from components.registries.bucket_store import BucketStore
from components.registries.contract import PromotionRecord
from components.registries.folder import FolderRegistry
from components.registries.registry import CHAMPION, RegistryError, Version
from components.registries.settings import VertexRegistrySettings

_LABEL = re.compile(r"[^a-z0-9_-]")
_ROLE = "ask for the roles Vertex AI User, and Storage Object User on the bucket"
_REQUEST_SECONDS = 60
_PASSING = if_exception_type(exceptions.ServiceUnavailable, exceptions.TooManyRequests, exceptions.InternalServerError)


class VertexRegistry:
    """A model in the Vertex Model Registry.

    The files, the champion's record and the history are in a bucket, as in :class:`FolderRegistry`: there a switch has
    a precondition, which an alias has not. Version N of the bucket is the version with the alias ``evenface-N`` in
    Vertex AI; the alias ``champion``, which endpoints and batch predictions name, follows the record.

    Args:
        project: Google Cloud project.
        location: Region.
        name: Identifier of the model.
        settings: The bucket, and what serves a version.

    Raises:
        RequestError: If no bucket is set.
    """

    def __init__(self, project: str, location: str, name: str, settings: VertexRegistrySettings) -> None:
        if settings.artifacts is None:
            raise RequestError(
                "The Vertex Model Registry keeps the files of its models in a bucket, and none is set",
                remedy="set promotion.vertex.artifacts to gs://BUCKET/FOLDER",
            )
        self._parent = f"projects/{project}/locations/{location}"
        self._model = f"{self._parent}/models/{name}"
        self._name = name
        self.place = f"vertex://{project}/{location}, model {name}"
        self._settings = settings
        self._files = FolderRegistry(BucketStore(settings.artifacts))
        self._client = _connect(settings.api_endpoint or f"{location}-aiplatform.googleapis.com")

    def champion(self) -> Version | None:
        """Return the champion that the record names."""
        return self._files.champion()

    def versions(self) -> list[str]:
        """Return the versions that Vertex AI knows."""
        try:
            with self._explained("list the versions"):
                request = {"name": self._model}
                listed = list(self._client.list_model_versions(request, timeout=_REQUEST_SECONDS, retry=self._retry))
        except _MissingError:
            return []
        prefix = "evenface-"
        aliases = [alias for model in listed for alias in model.version_aliases if alias.startswith(prefix)]
        return sorted((alias.removeprefix(prefix) for alias in aliases), key=int)

    def fetch(self, version: str, folder: Path) -> None:
        """Download a version's files and verify them."""
        self._files.fetch(version, folder)

    def add(self, folder: Path, record: PromotionRecord) -> str:
        """Copy the files into the bucket and upload a version that names them."""
        number = self._files.add(folder, record)
        challenger = record.challenger
        facts = challenger.model_dump(include={"row", "variant", "seed"}, exclude_none=True) if challenger else {}
        labels = {f"evenface-{key}": _LABEL.sub("_", str(value).lower())[:63] for key, value in facts.items()}
        model = aiplatform_v1.Model(
            display_name=self._name,
            version_aliases=[f"evenface-{number}"],
            version_description=record.reason[:500],
            artifact_uri=f"{self._files.place}/versions/{number}",
            container_spec=aiplatform_v1.ModelContainerSpec(image_uri=self._settings.serving_image),
            labels=labels,
        )
        with self._explained("upload a version"):
            try:
                self._upload({"parent": self._parent, "model": model, "parent_model": self._model})
            except exceptions.NotFound:
                try:
                    self._upload({"parent": self._parent, "model": model, "model_id": self._name})
                except exceptions.AlreadyExists:
                    # Another promotion has made the model at the same time.
                    self._upload({"parent": self._parent, "model": model, "parent_model": self._model})
        return number

    def switch(self, record: PromotionRecord, expected: Version | None) -> None:
        """Replace the record if nobody else has, and let the alias follow it."""
        self._files.switch(record, expected)
        with self._explained(f"move the alias {CHAMPION} to version {record.version}, which is the champion by now"):
            while (champion := self._files.champion()) is not None:
                self._move_alias(champion.number)
                # The promotion after this one may have moved the alias before it: whoever is last sees the last record.
                if self._files.champion() == champion:
                    break

    def keep(self, record: PromotionRecord) -> None:
        """Add a file to the history in the bucket."""
        self._files.keep(record)

    def history(self) -> list[PromotionRecord]:
        """Return every decision in the bucket."""
        return self._files.history()

    def alias(self) -> str | None:
        """Return the version that has the alias, which lags behind the record if a promotion died in between."""
        try:
            with self._explained("look for the champion"):
                aliases = self._get(f"{self._model}@{CHAMPION}").version_aliases
        except _MissingError:
            return None
        return next((alias.removeprefix("evenface-") for alias in aliases if alias.startswith("evenface-")), None)

    def _move_alias(self, number: str) -> None:
        version = self._get(f"{self._model}@evenface-{number}").version_id
        request = {"name": f"{self._model}@{version}", "version_aliases": [CHAMPION]}
        self._client.merge_version_aliases(request, timeout=_REQUEST_SECONDS, retry=self._retry)

    def _get(self, name: str) -> Any:
        return self._client.get_model({"name": name}, timeout=_REQUEST_SECONDS, retry=self._retry)

    def _upload(self, request: dict[str, Any]) -> None:
        # Not repeated: an upload whose answer was lost would make a second version.
        operation = self._client.upload_model(request, timeout=_REQUEST_SECONDS, retry=None)
        operation.result(timeout=self._settings.timeout_seconds)

    @property
    def _retry(self) -> Retry:
        return Retry(predicate=_PASSING, initial=0.5, maximum=10, timeout=_REQUEST_SECONDS)

    @contextmanager
    def _explained(self, action: str) -> Iterator[None]:
        try:
            yield
        except (exceptions.Forbidden, exceptions.Unauthorized) as error:
            raise RegistryError(f"Vertex AI does not let you {action} ({_first(error)})", remedy=_ROLE) from None
        except exceptions.NotFound as error:
            raise _MissingError(
                f"Vertex AI can't {action} ({_first(error)})", remedy="check the project, the location and the name"
            ) from None
        except (exceptions.GoogleAPIError, TimeoutError) as error:
            raise RegistryError(
                f"Vertex AI failed to {action} ({_first(error)})", remedy="run the same command again"
            ) from None


class _MissingError(RegistryError):
    """There is no such model or version."""


def _connect(endpoint: str) -> Any:
    if endpoint.startswith("http://"):
        # A server on this machine, called in plain text and without credentials, past any proxy.
        channel = grpc.insecure_channel(endpoint.removeprefix("http://"), options=[("grpc.enable_http_proxy", 0)])
        return aiplatform_v1.ModelServiceClient(transport=ModelServiceGrpcTransport(channel=channel))
    try:
        credentials, _ = google.auth.default(scopes=("https://www.googleapis.com/auth/cloud-platform",))
    except GoogleAuthError as error:
        raise RegistryError(
            f"There are no working Google credentials for Vertex AI ({type(error).__name__})",
            remedy="run 'gcloud auth application-default login' or set GOOGLE_APPLICATION_CREDENTIALS",
        ) from None
    return aiplatform_v1.ModelServiceClient(credentials=credentials, client_options={"api_endpoint": endpoint})


def _first(error: Exception) -> str:
    text = " ".join(str(getattr(error, "message", error)).split()).rstrip(".")
    return text[:200] or type(error).__name__
