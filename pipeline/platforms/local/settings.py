"""Settings of the containers that run on this machine."""

from typing import Literal

from pydantic import Field

from components.section import Section


class DockerSettings(Section):
    """What one stage's container may use on this machine."""

    image: str = Field("evenface:cpu", min_length=1, description="Image that the engine holds, built by `make image`.")
    memory_gb: float | None = Field(
        None, gt=0, description="Memory limit of each container in gigabytes (10^9 bytes); None for no limit."
    )
    gpus: Literal["auto", "all", "none"] = Field(
        "auto", description="GPUs passed to the containers: all, none, or all where Docker can pass them."
    )
