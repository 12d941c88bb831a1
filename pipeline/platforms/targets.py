"""All platforms at once: their settings composed, and each one found by its name."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from pydantic import Field

from pipeline.platforms.kubeflow.settings import KubeflowSettings
from pipeline.platforms.local.settings import DockerSettings
from pipeline.platforms.resources import ResourcesSettings
from pipeline.platforms.settings import SharedSettings
from pipeline.platforms.submission import Platform
from pipeline.platforms.vertex.settings import VertexSettings


class Target(StrEnum):
    """Where a compiled pipeline runs."""

    KUBEFLOW = "kubeflow"
    VERTEX = "vertex"


class PlatformSettings(SharedSettings):
    """What every platform needs, and a section for each."""

    docker: DockerSettings = Field(default_factory=DockerSettings, description="Containers on this machine.")
    kubeflow: KubeflowSettings = Field(default_factory=KubeflowSettings, description="Kubeflow Pipelines.")
    vertex: VertexSettings = Field(default_factory=VertexSettings, description="Vertex AI Pipelines.")


def load_platform(
    target: Target,
    resources: ResourcesSettings,
    settings: PlatformSettings,
    mlflow_uris: Mapping[str, str] = MappingProxyType({}),
) -> Platform:
    """Return a target's platform; only its own libraries are imported.

    Args:
        target: Which one.
        resources: What each stage is given.
        settings: Those of every platform.
        mlflow_uris: The stages that ask an MLflow server, each with its address.
    """
    if target is Target.KUBEFLOW:
        from pipeline.platforms.kubeflow.platform import KubeflowPlatform

        return KubeflowPlatform(resources, settings, settings.kubeflow, mlflow_uris)
    from pipeline.platforms.vertex.platform import VertexPlatform

    return VertexPlatform(resources, settings, settings.vertex, mlflow_uris)


def ignored_settings(target: Target, settings: PlatformSettings) -> list[str]:
    """Return the changed settings of the other targets, which have no effect on this one."""
    others = [(other.value, getattr(settings, other)) for other in Target if other is not target]
    return [
        f"platform.{name}.{key}"
        for name, section in others
        for key, default in type(section)()
        if getattr(section, key) != default
    ]
