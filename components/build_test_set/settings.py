"""Settings of the balanced test set."""

from pydantic import Field

from components.section import Section


class BuildTestSetSettings(Section):
    """How the test set is drawn. The defaults are those of the proof of concept."""

    faces_per_cell: int = Field(10, ge=1, description="Faces in each gender × ethnicity × age bin.")
    allow_shortfall: bool = Field(
        False, description="True lets a cell that has too few faces give all that it has; the shortfall is recorded."
    )
    seed: int = Field(0, ge=0, description="Fixes which faces are drawn.")
