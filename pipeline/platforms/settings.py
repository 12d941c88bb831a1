"""Settings that every platform reads."""

from typing import Literal

from pydantic import Field

from components.logs import FORMAT_VARIABLE, STAGE_VARIABLE
from components.section import Section


class SharedSettings(Section):
    """What every platform needs, wherever it is."""

    image: str = Field(
        "evenface:gpu", min_length=1, description="Container image of every stage, preferably with its digest."
    )
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = Field(
        "IfNotPresent", description="When a node pulls the image."
    )
    pipeline_root: str | None = Field(
        None, description="Bucket path of the artifacts; None for the platform's default."
    )
    experiment: str = Field("evenface", min_length=1, description="Group of runs.")
    caching: bool = Field(True, description="Reuse finished stages whose inputs are the same.")
    parallelism: int | None = Field(
        None,
        ge=1,
        le=1000,
        description="Branches of a loop (variants and seeds, searches, parts) that run at once; None for as many as "
        "the platform runs: 2 on this machine, all on a cluster.",
    )
    log_format: Literal["json", "text"] = Field(
        "json", description="Lines that stages log on a cluster: JSON objects for its log collector, or plain text."
    )

    def environment(self, stage: str) -> dict[str, str]:
        """Return what a stage's container finds in its environment on a cluster."""
        return {FORMAT_VARIABLE: self.log_format, STAGE_VARIABLE: stage}
