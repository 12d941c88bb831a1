"""The connection to Kubeflow Pipelines: credentials, retries, and errors in plain words."""

import contextlib
import functools
import io
import ipaddress
import json
import os
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self, TypeVar

import kfp
import kfp_server_api
import urllib3
from kfp.client import KF_PIPELINES_SA_TOKEN_ENV, KF_PIPELINES_SA_TOKEN_PATH, ServiceAccountTokenVolumeCredentials
from kfp.client.client import KF_PIPELINES_ENDPOINT_ENV

from components.errors import EvenfaceError, RequestError
from pipeline.platforms.kubeflow.settings import KubeflowSettings
from pipeline.platforms.submission import PlatformError, Submission

TOKEN_ENVIRONMENT = "EVENFACE_KUBEFLOW_TOKEN"  # noqa: S105 - the name of a variable, not a token

TOKEN_AUDIENCE = "pipelines.kubeflow.org"  # noqa: S105 - whom a token is for, not a token
"""Audience that Kubeflow Pipelines asks of a service account's token."""
_ANSWER_SECONDS = (10, 60)
"""How long to wait for a connection, and for each part of an answer."""

_Answer = TypeVar("_Answer")


class UnavailableError(PlatformError):
    """The platform gave no usable answer; whether it did what was asked is unknown."""


class KubeflowApi:
    """What evenface asks of Kubeflow Pipelines, through KFP's own client.

    Args:
        settings: Where the API is. Credentials come from the environment: a token in
            ``EVENFACE_KUBEFLOW_TOKEN``, else the pod's projected token (``KF_PIPELINES_SA_TOKEN_PATH``
            or its usual place), else KFP's own chain (in the cluster, or a kubeconfig).

    Attributes:
        client: KFP's client; call it within :meth:`call`.
        host: The API's URL, or "the cluster" where KFP itself finds it.
        namespace: Profile namespace, or None.

    Raises:
        RequestError: If no address is set for the API, or Kubeflow Pipelines is not there.
        PlatformError: If it can't be reached or refuses the credentials.
    """

    def __init__(self, settings: KubeflowSettings) -> None:
        host = find_host(settings)
        if host is None and "KUBERNETES_SERVICE_HOST" not in os.environ and not _has_kubeconfig():
            raise RequestError(
                "No address is set for Kubeflow Pipelines",
                remedy=f"set platform.kubeflow.host or {KF_PIPELINES_ENDPOINT_ENV}",
            )
        self.host = host or "the cluster"
        self.namespace = settings.namespace
        self.settings = settings
        self.client = self.call("connecting", _connect, settings, host)
        health = self.call("asking for its health", self.client.get_kfp_healthz)
        if health.multi_user and not (self.namespace or self.client.get_user_namespace()):
            remedy = "set platform.kubeflow.namespace to your profile's namespace"
            raise RequestError(f"{self.host} serves several users", remedy=remedy)

    def call(self, doing: str, function: Callable[..., _Answer], *arguments: Any, **keywords: Any) -> _Answer:
        """Call the API and turn a failure into a sentence.

        Raises:
            RequestError: For answers 400 and 404: the request is invalid.
            UnavailableError: For 429 after retries, 5xx, and a connection that failed or dropped.
            PlatformError: For every other refusal.
        """
        try:
            # KFP's client prints links of its own accord.
            with contextlib.redirect_stdout(io.StringIO()):
                return function(*arguments, **keywords)
        except kfp_server_api.ApiException as error:
            raise _explain_answer(error, self.host, doing) from error
        except urllib3.exceptions.HTTPError as error:
            raise _explain_silence(error, self.host, doing) from error

    def log_lines(self, run_id: str, pod: str) -> Iterator[str]:
        """Give the lines that a pod of a run has printed, or none where the log can't be read.

        No operation of the described API gives a log. The API server has one all the same, for whoever may read logs in
        the namespace; where the host is the user interface, the interface has its own, which reads archived logs too.
        Neither is worth an error: the log is only ever asked for to explain a failure.
        """
        client, query = self.client._run_api.api_client, {"podname": pod, "runid": run_id}
        if self.namespace:
            query["podnamespace"] = self.namespace
        for path, sent in ((f"/apis/v1alpha1/runs/{run_id}/nodes/{pod}/log", {}), ("/k8s/pod/logs", query)):
            try:
                answer = self.call("reading a stage's log", _open_text, client, path, sent)
            except EvenfaceError:
                continue
            with contextlib.closing(answer), contextlib.suppress(urllib3.exceptions.HTTPError):
                yield from io.TextIOWrapper(answer, encoding="utf-8", errors="replace")
            return

    def prepare(self, submission: Submission) -> dict[str, Any]:
        """Ensure that the pipeline version and the experiment exist, and return the arguments that start their runs.

        The version is named after its content, so that an identical one is reused.
        """
        api, package, version = self.client, str(submission.package), submission.version
        pipeline = self._ensure_pipeline(self.settings.pipeline_name)
        find, wanted = api.list_pipeline_versions, named(version)
        versions = self.call("looking for the pipeline version", find, pipeline, filter=wanted).pipeline_versions
        if not versions:
            upload = api.upload_pipeline_version
            versions = [self.call("uploading the pipeline version", upload, package, version, pipeline_id=pipeline)]
        create = api.create_experiment
        experiment = self.call("creating the experiment", create, submission.experiment, namespace=self.namespace)
        return {
            "experiment_id": str(experiment.experiment_id),
            "pipeline_id": pipeline,
            "version_id": versions[0].pipeline_version_id,
            "params": submission.parameters,
            "pipeline_root": submission.pipeline_root,
            "service_account": self.settings.service_account,
        }

    def _ensure_pipeline(self, name: str) -> str:
        api = self.client
        wanted = named(name)
        known = self.call("looking for the pipeline", api.list_pipelines, namespace=self.namespace, filter=wanted)
        if known.pipelines:
            return str(known.pipelines[0].pipeline_id)
        pipeline = kfp_server_api.V2beta1Pipeline(name=name, display_name=name, namespace=self.namespace)
        create = api.pipelines.pipeline_service_create_pipeline
        return str(self.call(f"creating the pipeline {name}", create, pipeline=pipeline).pipeline_id)


def named(name: str) -> str:
    """Return the API's filter for a display name."""
    return json.dumps({"predicates": [{"operation": 1, "key": "display_name", "stringValue": name}]})


def find_host(settings: KubeflowSettings) -> str | None:
    """Return the API's URL, or None where KFP itself finds the cluster."""
    return settings.host or os.environ.get(KF_PIPELINES_ENDPOINT_ENV)


def token_source() -> str:
    """Say where the credentials come from, never what they are."""
    if os.environ.get(TOKEN_ENVIRONMENT):
        return f"token in {TOKEN_ENVIRONMENT}"
    if _projected_token().is_file():
        return f"the pod's token {_projected_token()}"
    return "KFP's own chain (in the cluster, or a kubeconfig)"


def _projected_token() -> Path:
    return Path(os.environ.get(KF_PIPELINES_SA_TOKEN_ENV) or KF_PIPELINES_SA_TOKEN_PATH)


def _has_kubeconfig() -> bool:
    paths = os.environ.get("KUBECONFIG", str(Path.home() / ".kube" / "config")).split(os.pathsep)
    return any(Path(path).is_file() for path in paths)


class _Patience(urllib3.Retry):
    """Retries when the server asks for it, and never repeats a creation whose outcome is unknown."""

    def increment(
        self,
        method: str | None = None,
        url: str | None = None,
        response: Any = None,
        error: Exception | None = None,
        *arguments: Any,
        **options: Any,
    ) -> Self:
        if method == "POST" and error is not None:
            raise error
        return super().increment(method, url, response, error, *arguments, **options)


class _Client(kfp.Client):  # type: ignore[misc] # KFP ships no types
    """KFP's client with our retries and time limits, and without its own 25 seconds of retries when nothing answers."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        connection = self._healthz_api.api_client.rest_client
        connection.request = functools.partial(_request_in_time, connection.request)

    def _load_config(self, *arguments: Any, **options: Any) -> Any:
        config = super()._load_config(*arguments, **options)
        config.retries = _Patience(
            total=5,
            connect=1,
            read=2,
            status_forcelist={429, 503},
            allowed_methods=None,
            backoff_factor=0.5,
            raise_on_status=False,
            retry_after_max=120,
        )
        return config

    def get_kfp_healthz(self, sleep_duration: int = 0) -> Any:
        del sleep_duration
        # KFP's constructor asks, too, before the time limit holds for all requests.
        ask = self._healthz_api.healthz_service_get_healthz_with_http_info
        health, _, headers = ask(_request_timeout=_ANSWER_SECONDS)
        if "json" not in headers.get("Content-Type", ""):
            # The generated client would read a login page as an empty answer.
            raise kfp_server_api.ApiException(status=404, reason="no JSON")
        return health


def _request_in_time(request: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Make a request that the generated client would let wait for ever."""
    options["_request_timeout"] = options.get("_request_timeout") or _ANSWER_SECONDS
    return request(*arguments, **options)


def _refuse_open_token(host: str | None) -> None:
    """Refuse to send a token where anyone on the way can read it; what stays on this machine nobody can.

    Raises:
        RequestError: If the host is reached over plain HTTP and is not this machine.
    """
    address = urllib3.util.parse_url(host or "")
    name = (address.host or "").strip("[]")
    with contextlib.suppress(ValueError):
        if ipaddress.ip_address(name).is_loopback:
            return
    if address.scheme == "http" and name != "localhost":
        raise RequestError(
            f"A token would be sent to {name} without encryption",
            remedy="write https:// in platform.kubeflow.host, or reach it through a port-forward to localhost",
        )


def _connect(settings: KubeflowSettings, host: str | None) -> _Client:
    token, projected = os.environ.get(TOKEN_ENVIRONMENT), _projected_token()
    usable = not token and projected.is_file()
    if token or usable:
        _refuse_open_token(host)
    credentials = ServiceAccountTokenVolumeCredentials(str(projected)) if usable else None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        return _Client(host=host, existing_token=token, credentials=credentials, ssl_ca_cert=settings.ssl_ca_cert)


def _open_text(client: Any, path: str, query: dict[str, str]) -> Any:
    """Start reading plain text from a path of the host, with the client's own credentials."""
    answer = client.call_api(
        path,
        "GET",
        query_params=list(query.items()),
        auth_settings=["Bearer"],
        _preload_content=False,
        _request_timeout=(10, 60),
    )
    if "html" in answer.headers.get("Content-Type", ""):
        # A login page, or the page that a user interface answers every unknown path with.
        answer.close()
        raise kfp_server_api.ApiException(status=404, reason="no log")
    answer.auto_close = False
    return answer


_ANSWERS: dict[int, tuple[type[EvenfaceError], str, str]] = {
    400: (RequestError, "{host} rejected the request while {doing}{message}", "correct the settings"),
    401: (
        PlatformError,
        "{host} did not accept the credentials while {doing} (401)",
        f"put a valid token into {TOKEN_ENVIRONMENT}, one for the audience {TOKEN_AUDIENCE}, or run where the pod has "
        "one",
    ),
    403: (
        PlatformError,
        "{host} does not allow {doing} (403)",
        "ask its administrator for permission, or set platform.kubeflow.namespace to your own",
    ),
    404: (
        RequestError,
        "{host} found nothing while {doing} (404){message}",
        "check that platform.kubeflow.host is the URL of the Pipelines API and that nobody has deleted the object",
    ),
    409: (
        PlatformError,
        "{host} found the name taken while {doing}{message}, perhaps by something that you may not see",
        "choose another name, or ask its owner to share it",
    ),
    429: (UnavailableError, "{host} is still too busy while {doing} (429)", "try again in a few minutes"),
}
"""Kind of error, problem and remedy by the answer's status."""

_FAILURE = (
    UnavailableError,
    "{host} failed while {doing} ({status}){message}",
    "check the log of its ml-pipeline server and try again",
)


def _explain_answer(error: Any, host: str, doing: str) -> EvenfaceError:
    kind, problem, remedy = _ANSWERS.get(error.status, _FAILURE)
    message = _message(error)
    about = f", '{message}'" if message else ""
    return kind(problem.format(host=host, doing=doing, status=error.status, message=about), remedy=remedy)


def _explain_silence(error: Exception, host: str, doing: str) -> EvenfaceError:
    cause = getattr(error, "reason", None) or error
    if isinstance(cause, urllib3.exceptions.NewConnectionError | urllib3.exceptions.ConnectTimeoutError):
        remedy = "check platform.kubeflow.host, the network, and any port-forward to the cluster"
        return UnavailableError(f"{host} can't be reached", remedy=remedy)
    if isinstance(cause, urllib3.exceptions.SSLError):
        remedy = "set platform.kubeflow.ssl_ca_cert to the file of its certificate authority"
        return PlatformError(f"The certificate of {host} is not trusted", remedy=remedy)
    return UnavailableError(
        f"{host} dropped the connection while {doing}", remedy="try again, and check its log if it happens again"
    )


def _message(error: Any) -> str:
    """Return the first line of the server's own message, without secrets."""
    try:
        text = str(json.loads(error.body or "")["message"])
    except (ValueError, KeyError, TypeError):
        text = ""
    line = next(iter(text.strip().splitlines()), "").rstrip(".")[:200]
    token = os.environ.get(TOKEN_ENVIRONMENT)
    return line.replace(token, "…") if token else line
