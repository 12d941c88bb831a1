"""Settings of Kubeflow Pipelines."""

from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator

from components.mlflow_server import CREDENTIALS
from components.section import Section, SettingError


class KubeflowSettings(Section):
    """Where the cluster is and how its nodes are labelled.

    Credentials are never settings: they come from the environment, see
    `pipeline.platforms.kubeflow.client.KubeflowApi`.
    """

    host: str | None = Field(
        None, description="URL of the Kubeflow Pipelines API; by default KF_PIPELINES_ENDPOINT or the cluster's own."
    )
    namespace: str | None = Field(None, description="Profile namespace of a multi-user installation.")
    ssl_ca_cert: str | None = Field(None, description="File with the certificate authority of the host.")
    pipeline_name: str = Field("evenface", min_length=1, description="Name that versions are uploaded under.")
    service_account: str | None = Field(None, description="Kubernetes service account of the runs' pods.")
    mlflow_secret: str | None = Field(
        None,
        pattern=r"^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$",
        description=f"Kubernetes secret whose keys {', '.join(CREDENTIALS)}, as far as it has them, are variables of "
        "the stages that ask an MLflow server.",
    )
    gpu_resource: str = Field("nvidia.com/gpu", description="Resource name that the nodes offer GPUs under.")
    gpu_nodes: Literal["gke", "nvidia", "any"] = Field(
        "gke",
        description="Whose node labels select a GPU model: GKE's, those of NVIDIA's feature discovery, or no label.",
    )
    gpu_taint: str | None = Field("nvidia.com/gpu", description="Taint of the GPU nodes, tolerated by tune and train.")
    spot_label: str = Field(
        "cloud.google.com/gke-spot", description="Label and taint of spot nodes; their value is 'true'."
    )
    timezone: str = Field(
        "UTC", description="The one time zone that the cluster's schedule controller runs in (cronScheduleTimezone)."
    )
    poll_seconds: float = Field(10, gt=0, description="Seconds between two looks at a run that is followed.")

    @field_validator("host")
    @classmethod
    def _host_is_a_url_without_secrets(cls, host: str | None) -> str | None:
        if host is None:
            return None
        parts = urlsplit(host)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            # The value is not repeated: it may hold a secret.
            raise SettingError(
                "this is not a complete URL", remedy="write one such as https://kubeflow.example.org/pipeline"
            )
        if parts.username or parts.password:
            raise SettingError(
                "credentials don't belong in settings", remedy="put a token into EVENFACE_KUBEFLOW_TOKEN"
            )
        return host.rstrip("/")
