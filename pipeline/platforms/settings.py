"""Settings that every platform reads."""

from typing import Literal

from pydantic import Field

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
