"""Settings of the evaluate stage."""

from pydantic import Field

from components.section import Section


class EvaluateSettings(Section):
    """How a served model is scored."""

    batch_size: int = Field(64, ge=1, description="Images per call of the served model.")
