"""What each stage may use, in words that belong to no platform."""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from pydantic import Field, model_validator

from components.section import Section, SettingError
from pipeline.platforms.kubeflow.settings import KubeflowSettings
from pipeline.platforms.local.settings import DockerSettings
from pipeline.platforms.vertex.settings import VertexSettings

GPU_STAGES = ("tune", "train")
"""The stages that a GPU makes faster."""

_LONGEST_ATTEMPT_SECONDS = 7 * 24 * 3600


@dataclass(frozen=True)
class Accelerator:
    """One GPU model's names.

    Attributes:
        vertex: Value of Vertex AI's ``AcceleratorType``.
        gke: Value of GKE's node label ``cloud.google.com/gke-accelerator``.
        nvidia: Value of NVIDIA's node label ``nvidia.com/gpu.product``.
    """

    vertex: str
    gke: str
    nvidia: str


ACCELERATORS = {
    "nvidia-t4": Accelerator("NVIDIA_TESLA_T4", "nvidia-tesla-t4", "Tesla-T4"),
    "nvidia-l4": Accelerator("NVIDIA_L4", "nvidia-l4", "NVIDIA-L4"),
    "nvidia-v100": Accelerator("NVIDIA_TESLA_V100", "nvidia-tesla-v100", "Tesla-V100-SXM2-16GB"),
    "nvidia-a100-40gb": Accelerator("NVIDIA_TESLA_A100", "nvidia-tesla-a100", "NVIDIA-A100-SXM4-40GB"),
    "nvidia-a100-80gb": Accelerator("NVIDIA_A100_80GB", "nvidia-a100-80gb", "NVIDIA-A100-SXM4-80GB"),
    "nvidia-h100-80gb": Accelerator("NVIDIA_H100_80GB", "nvidia-h100-80gb", "NVIDIA-H100-80GB-HBM3"),
}
"""GPU models by the name that the settings use."""


class StageResources(Section):
    """What one stage may use."""

    cpu: float = Field(2, gt=0, description="Processor cores.")
    memory_gb: float = Field(8, gt=0, description="Memory in gigabytes (10^9 bytes).")
    accelerator: str | None = Field(None, description=f"GPU model: {', '.join(ACCELERATORS)}.")
    accelerator_count: Literal[1, 2, 4, 8, 16] = Field(1, description="GPUs, where a model is named.")
    spot: bool = Field(False, description="Run on cheaper machines that may be taken away at any time.")
    timeout_seconds: int | None = Field(None, gt=0, description="Longest time one attempt may take; None for no limit.")
    retries: int = Field(2, ge=0, le=10, description="Attempts after the first.")
    retry_backoff_seconds: int = Field(60, ge=0, description="Pause before the first retry.")
    retry_backoff_factor: float = Field(2, ge=1, description="Each further pause is this many times longer.")

    @model_validator(mode="after")
    def _accelerator_is_known(self) -> Self:
        if self.accelerator is not None and self.accelerator not in ACCELERATORS:
            raise SettingError(f"unknown accelerator '{self.accelerator}'", remedy=f"known: {', '.join(ACCELERATORS)}")
        if self.accelerator is None and self.accelerator_count > 1:
            raise SettingError(
                f"accelerator_count is {self.accelerator_count} but no accelerator is named", remedy="name one"
            )
        if self.spot and self.retries == 0:
            raise SettingError("a spot machine may be taken away at any time", remedy="retries must be 1 or more")
        return self

    @property
    def gpus(self) -> int:
        """How many GPUs; 0 without an accelerator."""
        return self.accelerator_count if self.accelerator else 0

    @property
    def retry_window_seconds(self) -> int:
        """How long after its first start a stage may be tried again: all attempts and all pauses.

        Left to itself KFP writes one hour, and its back end then never retries a stage that was
        taken from a spot machine later than that.
        """
        attempt = self.timeout_seconds or _LONGEST_ATTEMPT_SECONDS
        pauses = sum(self.retry_backoff_seconds * self.retry_backoff_factor**n for n in range(self.retries))
        return (self.retries + 1) * attempt + math.ceil(pauses)


def _gpu_stage(hours: int) -> StageResources:
    return StageResources(cpu=8, memory_gb=30, accelerator="nvidia-t4", timeout_seconds=hours * 3600)


class ResourcesSettings(Section):
    """What every stage may use."""

    preprocess: StageResources = Field(
        StageResources(cpu=4, memory_gb=16, timeout_seconds=2 * 3600), description="Stage 1."
    )
    build_test_set: StageResources = Field(StageResources(timeout_seconds=1800), description="Stage 2.")
    split: StageResources = Field(StageResources(timeout_seconds=1800), description="Stage 3.")
    tune: StageResources = Field(_gpu_stage(hours=24), description="Stage 4.")
    gather_hyperparameters: StageResources = Field(
        StageResources(cpu=1, memory_gb=2, timeout_seconds=1800), description="End of stage 4."
    )
    train: StageResources = Field(_gpu_stage(hours=12), description="Stage 5.")
    evaluate: StageResources = Field(
        StageResources(cpu=4, memory_gb=16, timeout_seconds=2 * 3600), description="Stage 6."
    )
    compare: StageResources = Field(
        StageResources(cpu=2, memory_gb=8, timeout_seconds=2 * 3600), description="Stage 7."
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_the_rest_of_a_stage(cls, given: Any) -> Any:
        # One changed value of a stage leaves its other defaults: a GPU count does not drop the GPU.
        if not isinstance(given, Mapping):
            return given
        merged = dict(given)
        for stage, values in given.items():
            if stage in cls.model_fields and isinstance(values, Mapping):
                merged[stage] = cls.model_fields[stage].get_default(call_default_factory=True).model_dump() | dict(
                    values
                )
        return merged

    @model_validator(mode="after")
    def _gpus_go_where_they_are_used(self) -> Self:
        for stage, resources in self.stages():
            if resources.gpus and stage not in GPU_STAGES:
                raise SettingError(
                    f"{stage} computes nothing on a GPU", remedy=f"name accelerators on {' and '.join(GPU_STAGES)}"
                )
        return self

    def of(self, stage: str) -> StageResources:
        """Return one stage's resources."""
        resources: StageResources = getattr(self, stage)
        return resources

    def stages(self) -> Iterator[tuple[str, StageResources]]:
        """Return every stage with its resources."""
        return ((stage, self.of(stage)) for stage in type(self).model_fields)


class PlatformSettings(Section):
    """What every platform needs, and a section for each."""

    image: str = Field(
        "evenface:gpu", min_length=1, description="Container image of every stage, best with its digest."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When a node fetches the image."
    )
    pipeline_root: str | None = Field(
        None, description="Bucket path of the artifacts; None for the platform's default."
    )
    experiment: str = Field("evenface", min_length=1, description="Group of runs.")
    caching: bool = Field(True, description="Reuse finished stages whose inputs are equal.")
    docker: DockerSettings = Field(default_factory=DockerSettings, description="Containers on this machine.")
    kubeflow: KubeflowSettings = Field(default_factory=KubeflowSettings, description="Kubeflow Pipelines.")
    vertex: VertexSettings = Field(default_factory=VertexSettings, description="Vertex AI Pipelines.")
