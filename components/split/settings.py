"""Settings of the split."""

from pydantic import Field

from components.section import Section


class SplitSettings(Section):
    """How the pool is divided. The defaults are those of the proof of concept."""

    validation_fraction: float = Field(0.2, gt=0, lt=1, description="Share of the pool used for validation.")
    seed: int = Field(0, ge=0, description="Seed that determines which faces are used for validation.")
