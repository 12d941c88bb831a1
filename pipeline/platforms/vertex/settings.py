"""Settings of Vertex AI Pipelines."""

import re
from typing import Literal, Self

from pydantic import Field, model_validator

from components.section import Section, SettingError

_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d+)?")

OWN_LABEL_PREFIX = "evenface-"
"""Labels that evenface sets and reads begin with this."""


class VertexSettings(Section):
    """Which project runs the pipeline, as whom, and how its API is called.

    Credentials are never settings: they come from Google's own chain, see
    `pipeline.platforms.vertex.client.connect`.
    """

    project: str | None = Field(
        None,
        pattern=r"^[a-z0-9.:-]+$",
        description="Google Cloud project; by default that of Google's credential chain.",
    )
    location: str = Field("us-central1", pattern=r"^[a-z]+(-[a-z]+)+\d+$", description="Region of the runs.")
    service_account: str | None = Field(
        None,
        pattern=r"^[^@\s]+@[^@\s]+\.[^@\s]+$",
        description="E-mail of the service account that the tasks run as; by default the project's own.",
    )
    network: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/global/networks/[^/]+$",
        description="Network that the tasks are peered with: projects/NUMBER/global/networks/NAME.",
    )
    encryption_key: str | None = Field(
        None,
        pattern=r"^projects/[^/]+/locations/[^/]+/keyRings/[^/]+/cryptoKeys/[^/]+$",
        description="Cloud KMS key: projects/P/locations/L/keyRings/R/cryptoKeys/K.",
    )
    labels: dict[str, str] = Field(default_factory=dict, description="Labels of every run.")
    failure_policy: Literal["slow", "fast"] = Field(
        "slow",
        description="After a task fails: finish all that does not depend on it (slow), or start nothing more (fast).",
    )
    allow_queueing: bool = Field(
        False, description="A scheduled run that would exceed the concurrency waits instead of being skipped."
    )
    api_endpoint: str | None = Field(
        None, description="Host of the API, such as a private endpoint; by default the location's own."
    )
    request_seconds: float = Field(60, gt=0, description="Longest time one request may take.")
    retry_seconds: float = Field(
        120, ge=0, description="How long a request that meets a quota, an outage or a lost connection is repeated."
    )
    poll_seconds: float = Field(30, gt=0, description="Seconds between two looks at a run that is followed.")

    @model_validator(mode="after")
    def _labels_are_legal(self) -> Self:
        for key, value in self.labels.items():
            if key.startswith(OWN_LABEL_PREFIX):
                raise SettingError(
                    f"label '{key}' begins with {OWN_LABEL_PREFIX}, which is reserved for evenface", remedy="rename it"
                )
            if not _LABEL_KEY.fullmatch(key):
                raise SettingError(
                    f"'{key}' can't be a label",
                    remedy="use at most 63 lower-case letters, digits, _ and -, beginning with a letter",
                )
            if not _LABEL_VALUE.fullmatch(value):
                raise SettingError(
                    f"label {key} can't be '{value}'", remedy="use at most 63 lower-case letters, digits, _ and -"
                )
        return self

    @model_validator(mode="after")
    def _endpoint_keeps_secrets(self) -> Self:
        endpoint = self.api_endpoint
        if endpoint is not None and not (_HOST.fullmatch(endpoint) or _LOOPBACK.fullmatch(endpoint)):
            raise SettingError(
                f"api_endpoint can't be '{endpoint}'",
                remedy="write a host name, which is called over TLS; plain http:// is only for 127.0.0.1 and localhost",
            )
        if self.is_loopback and self.project is None:
            raise SettingError(
                "an api_endpoint on this machine is called without credentials", remedy="name the project"
            )
        return self

    @property
    def is_loopback(self) -> bool:
        """Whether the API is a server on this machine, called in plain text and without credentials."""
        return self.api_endpoint is not None and self.api_endpoint.startswith("http://")

    @property
    def endpoint(self) -> str:
        """Host of the API, and its port where one is given."""
        if self.api_endpoint is None:
            return f"{self.location}-aiplatform.googleapis.com"
        return self.api_endpoint.removeprefix("http://")
