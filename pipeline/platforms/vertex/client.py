"""Calling Vertex AI: endpoint, credentials, retries, and errors in plain words."""

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import google.auth
import google.auth.transport.requests
import grpc
from google.api_core import exceptions
from google.api_core.retry import Retry
from google.auth.exceptions import DefaultCredentialsError, GoogleAuthError, RefreshError, TransportError
from google.cloud import aiplatform_v1
from google.cloud.aiplatform_v1.services.pipeline_service.transports import PipelineServiceGrpcTransport
from google.cloud.aiplatform_v1.services.schedule_service.transports import ScheduleServiceGrpcTransport

from components.errors import EvenfaceError, RequestError
from pipeline.platforms.submission import PlatformError
from pipeline.platforms.vertex.settings import VertexSettings

T = TypeVar("T")

_SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
_LOGIN = "run `gcloud auth application-default login`, or run where a service account is attached"
_EXPLANATIONS: tuple[tuple[tuple[type[Exception], ...], str, str], ...] = (
    ((exceptions.Unauthorized,), "does not accept the credentials to {action} ({message})", _LOGIN),
    (
        (exceptions.Forbidden,),
        "does not let you {action} in {place} ({message})",
        "ask for the role Vertex AI User, and for Service Account User on the account that the tasks run as",
    ),
    (
        (exceptions.NotFound,),
        "can't {action} ({message})",
        "check platform.vertex.project and platform.vertex.location ({place}), and that the Vertex AI API is enabled "
        "there",
    ),
    ((exceptions.AlreadyExists,), "can't {action} because the name is taken ({message})", "choose another name"),
    (
        (exceptions.TooManyRequests,),
        "has no quota left to {action} in {place}, {waited} ({message})",
        "try again later, or ask for more quota",
    ),
    ((exceptions.BadRequest,), "refuses to {action} ({message})", "correct the settings and try again"),
    (
        (exceptions.ServiceUnavailable, exceptions.GatewayTimeout),
        "at {endpoint} could not be reached to {action}, {waited} ({message})",
        "check the network and run the same command again",
    ),
    ((exceptions.ServerError,), "failed to {action}, {waited} ({message})", "run the same command again later"),
    ((Exception,), "failed to {action} ({message})", "run the same command again"),
)
"""What Vertex AI does and the remedy, by Google's exceptions; the first match counts."""

_REQUEST_ERRORS = (exceptions.AlreadyExists, exceptions.BadRequest)


@dataclass(frozen=True)
class VertexClient:
    """Vertex AI's pipeline and schedule services in one project and location."""

    pipelines: aiplatform_v1.PipelineServiceClient
    schedules: aiplatform_v1.ScheduleServiceClient
    settings: VertexSettings
    project: str

    @property
    def parent(self) -> str:
        """Resource name of the project's location."""
        return f"projects/{self.project}/locations/{self.settings.location}"

    def call(self, action: str, method: Callable[..., T], **request: Any) -> T:
        """Send one request, which must be safe to repeat.

        Args:
            action: What is being done, for an error: "list the schedules".
            method: A client's method.
            **request: The request's fields.
        """
        return self.repeat(action, lambda again: self.send(method, **request))

    def send(self, method: Callable[..., T], **request: Any) -> T:
        """Send one request once."""
        return method(request=request, timeout=self.settings.request_seconds, retry=None)

    def repeat(self, action: str, attempt: Callable[[bool], T]) -> T:
        """Repeat an attempt while it meets a quota, an outage or a lost connection.

        Args:
            action: What is being done, for an error.
            attempt: Called with whether it is a repetition, which may find that an earlier attempt,
                whose answer was lost, has done the work.

        Raises:
            PlatformError: If Vertex AI refuses or can't be reached for longer than `retry_seconds`.
            RequestError: If the request itself is invalid.
        """
        patience = self.settings.retry_seconds
        attempts = itertools.count()
        patiently = Retry(predicate=_passes, initial=min(1.0, patience / 4), maximum=20, timeout=patience)
        try:
            return patiently(lambda: attempt(next(attempts) > 0))() if patience else attempt(False)
        except exceptions.RetryError as error:
            raise _explain(error.cause or error, action, self) from None
        except exceptions.GoogleAPICallError as error:
            raise _explain(error, action, self) from None


def _passes(error: Exception) -> bool:
    """Tell whether an error may go away by itself: a quota, an outage, a lost connection."""
    passing = (exceptions.TooManyRequests, exceptions.Aborted, exceptions.ServerError)
    return isinstance(error, passing) and not isinstance(error, exceptions.MethodNotImplemented)


def connect(settings: VertexSettings) -> VertexClient:
    """Connect to Vertex AI with the credentials of Google's own chain.

    These are, in this order: the file that GOOGLE_APPLICATION_CREDENTIALS names, gcloud's
    application default login, the service account attached to the machine. A server on this
    machine is called in plain text and gets no credentials.

    Raises:
        PlatformError: If there are no credentials or they are no longer valid.
        RequestError: If no project is known.
    """
    if settings.is_loopback:
        # A proxy configured for the outside world can't reach this machine's own ports.
        channel = grpc.insecure_channel(settings.endpoint, options=[("grpc.enable_http_proxy", 0)])
        pipelines = aiplatform_v1.PipelineServiceClient(transport=PipelineServiceGrpcTransport(channel=channel))
        schedules = aiplatform_v1.ScheduleServiceClient(transport=ScheduleServiceGrpcTransport(channel=channel))
        return VertexClient(pipelines, schedules, settings, str(settings.project))
    credentials, default_project = _credentials()
    project = settings.project or default_project
    if not project:
        raise RequestError(
            "No Google Cloud project is known", remedy="set platform.vertex.project or GOOGLE_CLOUD_PROJECT"
        )
    options = {"api_endpoint": settings.endpoint}
    return VertexClient(
        aiplatform_v1.PipelineServiceClient(credentials=credentials, client_options=options),
        aiplatform_v1.ScheduleServiceClient(credentials=credentials, client_options=options),
        settings,
        project,
    )


def _credentials() -> tuple[Any, str | None]:
    try:
        credentials, project = google.auth.default(scopes=_SCOPES)
        # Within a request, an expired login looks like an outage and would be retried.
        credentials.refresh(google.auth.transport.requests.Request())
    except DefaultCredentialsError:
        raise PlatformError("No Google credentials were found", remedy=_LOGIN) from None
    except RefreshError:
        raise PlatformError("Google no longer accepts the credentials", remedy=_LOGIN) from None
    except TransportError:
        raise PlatformError("Google's sign-in can't be reached", remedy="check the network and the proxy") from None
    except GoogleAuthError as error:
        raise PlatformError(f"The Google credentials can't be used ({type(error).__name__})", remedy=_LOGIN) from None
    return credentials, project


def _explain(error: Exception, action: str, client: VertexClient) -> EvenfaceError:
    """Turn an error of Google's client into one of evenface's, with its remedy."""
    settings = client.settings
    seconds = settings.retry_seconds
    words = {
        "action": action,
        "message": " ".join(str(getattr(error, "message", error)).split()).rstrip(".") or type(error).__name__,
        "place": f"project {client.project}, location {settings.location}",
        "endpoint": settings.endpoint,
        "waited": f"even after {seconds:g} s of retries" if seconds else "on the first try",
    }
    kind = RequestError if isinstance(error, _REQUEST_ERRORS) else PlatformError
    problem, remedy = next(row[1:] for row in _EXPLANATIONS if isinstance(error, row[0]))
    return kind("Vertex AI " + problem.format(**words), remedy=remedy.format(**words))
