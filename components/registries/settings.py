"""What a registry needs besides its place."""

import re

from pydantic import Field, field_validator

from components.section import Section, SettingError

_LOOPBACK = re.compile(r"http://(127\.0\.0\.1|localhost|\[::1\])(:\d+)?")
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:\d+)?")


class VertexRegistrySettings(Section):
    """The Vertex Model Registry: it names models, whose files are in a bucket."""

    artifacts: str | None = Field(
        None,
        pattern=r"^gs://[^/]+(/.*)?$",
        description="gs://BUCKET/FOLDER for the files of the versions, the champion's record and the history.",
    )
    serving_image: str = Field(
        "us-docker.pkg.dev/vertex-ai/prediction/tf2-cpu.2-15:latest",
        description="Container that an endpoint serves a version with.",
    )
    api_endpoint: str | None = Field(None, description="Host of the API; by default the location's own.")
    timeout_seconds: float = Field(600, gt=0, description="Longest time that registering a version may take.")

    @field_validator("api_endpoint")
    @classmethod
    def _endpoint_keeps_secrets(cls, endpoint: str | None) -> str | None:
        if endpoint is not None and not (_HOST.fullmatch(endpoint) or _LOOPBACK.fullmatch(endpoint)):
            raise SettingError(
                f"api_endpoint can't be '{endpoint}'",
                remedy="write a host name, which is called over TLS; plain http:// is only for 127.0.0.1 and localhost",
            )
        return endpoint
