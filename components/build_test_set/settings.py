"""Settings of the balanced test set."""

from pydantic import Field

from components.section import Section


class BuildTestSetSettings(Section):
    """How the test set is drawn. The defaults are those of the proof of concept."""

    faces_per_cell: int = Field(10, ge=1, description="Number of faces drawn from each gender × ethnicity × age bin.")
    training_reserve: int = Field(
        0,
        ge=0,
        description="Number of faces of each cell that the test set leaves to training and validation, even where it "
        "becomes smaller.",
    )
    allow_shortfall: bool = Field(
        False, description="If true, a cell with too few faces gives all that it has, and the shortfall is recorded."
    )
    seed: int = Field(0, ge=0, description="Seed that determines which faces are drawn.")
