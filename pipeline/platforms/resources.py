"""What each stage may use, in terms of no particular platform."""

from collections.abc import Iterator, Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from components.section import Section, SettingError

GPU_STAGES = ("tune", "train")
"""The stages that a GPU makes faster."""

_READING = ("read_part", "look_for_news")

_LONGEST_ATTEMPT_SECONDS = 7 * 24 * 3600
_LONGEST_PAUSES_SECONDS = 7 * 24 * 3600

ACCELERATORS = ("nvidia-t4", "nvidia-l4", "nvidia-v100", "nvidia-a100-40gb", "nvidia-a100-80gb", "nvidia-h100-80gb")
"""GPU models by the name that the settings use; each platform knows its own names for all of them."""

ACCELERATOR_COUNTS = (1, 2, 4, 8, 16)
"""How many GPUs a stage may have."""


class StageResources(Section):
    """What one stage may use."""

    cpu: float = Field(2, gt=0, description="Processor cores.")
    memory_gb: float = Field(8, gt=0, description="Memory in gigabytes (10^9 bytes).")
    accelerator: str | None = Field(None, description=f"GPU model: {', '.join(ACCELERATORS)}.")
    accelerator_count: Literal[1, 2, 4, 8, 16] = Field(1, description="Number of GPUs, if a model is named.")
    spot: bool = Field(False, description="Run on cheaper machines that may be taken away at any time.")
    timeout_seconds: int | None = Field(None, gt=0, description="Longest time one attempt may take; None for no limit.")
    retries: int = Field(2, ge=0, le=10, description="Attempts after the first.")
    retry_backoff_seconds: int = Field(60, ge=0, le=86400, description="Pause before the first retry.")
    retry_backoff_factor: int = Field(
        2, ge=1, le=10, description="Each further pause is this many times as long as the one before: a whole number."
    )

    @field_validator("retry_backoff_factor", mode="before")
    @classmethod
    def _factor_is_whole(cls, factor: Any) -> Any:
        # Kubeflow accepts a fraction, and its workflow engine then gives up a run at the first retry.
        if isinstance(factor, float) and not factor.is_integer():
            raise SettingError(f"a pause can't grow by a factor of {factor:g}", remedy="choose a whole number")
        return factor

    @model_validator(mode="after")
    def _accelerator_is_known(self) -> Self:
        if self.accelerator is not None and self.accelerator not in ACCELERATORS:
            raise SettingError(f"unknown accelerator '{self.accelerator}'", remedy=f"choose {', '.join(ACCELERATORS)}")
        if self.accelerator is None and self.accelerator_count > 1:
            raise SettingError(
                f"accelerator_count is {self.accelerator_count} but no accelerator is named", remedy="name one"
            )
        if self.spot and self.retries == 0:
            raise SettingError("a spot machine may be taken away at any time", remedy="set retries to 1 or more")
        return self

    @model_validator(mode="after")
    def _retries_end(self) -> Self:
        if self.pauses_seconds > _LONGEST_PAUSES_SECONDS:
            raise SettingError(
                f"the pauses before {self.retries} retries add up to {self.pauses_seconds // 86400} days",
                remedy="lower retries, retry_backoff_seconds or retry_backoff_factor",
            )
        return self

    @property
    def pauses_seconds(self) -> int:
        """How long the pauses before all retries are together."""
        return sum(self.retry_backoff_seconds * self.retry_backoff_factor**n for n in range(self.retries))

    @property
    def retry_window_seconds(self) -> int:
        """How long after its first start a stage may be tried again: all attempts and all pauses.

        Left to itself, KFP sets one hour, and its back end then never retries a stage that fails later than that.
        """
        attempt = self.timeout_seconds or _LONGEST_ATTEMPT_SECONDS
        return (self.retries + 1) * attempt + self.pauses_seconds


def _gpu_stage(hours: int) -> StageResources:
    return StageResources(cpu=8, memory_gb=30, accelerator="nvidia-t4", timeout_seconds=hours * 3600)


_IMAGE_STAGE = StageResources(cpu=4, memory_gb=16, timeout_seconds=2 * 3600)
_TABLE_STAGE = StageResources(timeout_seconds=1800)


class ResourcesSettings(Section):
    """What every stage may use."""

    preprocess: StageResources = Field(_IMAGE_STAGE, description="Stage 1, or each part of it.")
    merge_parts: StageResources = Field(
        StageResources(timeout_seconds=2 * 3600), description="End of stage 1, if the source is read in parts."
    )
    gates: StageResources = Field(
        StageResources(cpu=1, memory_gb=2, timeout_seconds=1800), description="Gates after stage 1."
    )
    build_test_set: StageResources = Field(_TABLE_STAGE, description="Stage 2.")
    split: StageResources = Field(_TABLE_STAGE, description="Stage 3.")
    tune: StageResources = Field(_gpu_stage(hours=24), description="Stage 4.")
    gather_hyperparameters: StageResources = Field(
        StageResources(cpu=1, memory_gb=2, timeout_seconds=1800), description="End of stage 4."
    )
    train: StageResources = Field(_gpu_stage(hours=12), description="Stage 5.")
    evaluate: StageResources = Field(_IMAGE_STAGE, description="Stage 6.")
    compare: StageResources = Field(StageResources(timeout_seconds=2 * 3600), description="Stage 7.")
    recommend: StageResources = Field(StageResources(timeout_seconds=3600), description="Stage 8.")
    promote: StageResources = Field(StageResources(timeout_seconds=3600), description="Stage 9, if wanted.")
    track: StageResources = Field(
        StageResources(cpu=1, memory_gb=4, timeout_seconds=3600), description="Stage 10, if wanted."
    )

    @model_validator(mode="before")
    @classmethod
    def _keep_the_rest_of_a_stage(cls, given: Any) -> Any:
        # Changing one value of a stage keeps its other defaults: a GPU count does not drop the GPU.
        if not isinstance(given, Mapping):
            return given
        merged = dict(given)
        for stage, values in given.items():
            if stage in cls.model_fields and isinstance(values, Mapping):
                merged[stage] = {**cls.model_fields[stage].default.model_dump(), **values}
        return merged

    @model_validator(mode="after")
    def _gpus_go_where_they_are_used(self) -> Self:
        for stage, resources in self.stages():
            if resources.accelerator and stage not in GPU_STAGES:
                raise SettingError(
                    f"{stage} makes no use of a GPU", remedy=f"name accelerators on {' and '.join(GPU_STAGES)}"
                )
        return self

    def of(self, stage: str) -> StageResources:
        """Return one stage's resources; what reads the source, in part or to look for news, has those of preprocess."""
        resources: StageResources = getattr(self, "preprocess" if stage in _READING else stage)
        return resources

    def stages(self) -> Iterator[tuple[str, StageResources]]:
        """Return every stage with its resources."""
        return iter(self)

    def gpus_in_words(self, models: Mapping[str, str]) -> str:
        """Return which stages ask for which GPUs, by a platform's own name of each GPU model."""
        asked = [
            f"{stage}: {resources.accelerator_count} × {models[resources.accelerator]}"
            for stage, resources in self.stages()
            if resources.accelerator
        ]
        return ", ".join(asked) or "no accelerator requested"
