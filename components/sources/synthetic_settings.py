"""Settings of the synthetic faces."""

from typing import Self

from pydantic import Field, model_validator
from pydantic import NonNegativeFloat as Share

from components.section import Section, SettingError

_FILLED_CELLS = 2 * 4 * 8
"""Gender × class × ten-year age bin, without the class 'Other' and up to age 80."""


class SyntheticSettings(Section):
    """Abstract pictures with the labels, the imbalance and the faults of UTKFace.

    The default shares are those of UTKFace's files, rounded.
    """

    faces: int = Field(3000, ge=1, description="Number of distinct pictures in sound files, not counting copies.")
    image_side: int = Field(64, ge=16, le=1024, description="Side of the square images, in pixels.")
    seed: int = Field(0, ge=0, description="Seed that determines every label, name and pixel.")
    class_shares: tuple[Share, Share, Share, Share, Share] = Field(
        (0.41, 0.18, 0.18, 0.16, 0.07), description="Relative frequency of White, Black, Asian, Indian and Other."
    )
    female_share: float = Field(0.48, ge=0, le=1, description="Share of faces with gender code 1.")
    age_shares: tuple[Share, ...] = Field(
        (0.13, 0.07, 0.31, 0.19, 0.09, 0.10, 0.06, 0.03, 0.02),
        min_length=9,
        max_length=9,
        description="Relative frequency of the ages 1-10, 11-20, … 71-80 and 81-116.",
    )
    smallest_cell: int = Field(
        6,
        ge=0,
        description="Smallest number of faces in each gender × class × ten-year age bin up to 80, except for "
        "'Other': enough for the balanced test set and a few to learn from.",
    )
    ambiguity: float = Field(
        1.0,
        ge=0,
        le=3,
        description="How far the pictures of neighbouring labels overlap. At 0 every label can be read off without "
        "error; at 1 the best possible reading of the hue takes White for Asian, or Asian for White, about once in "
        "twelve.",
    )
    duplicate_share: float = Field(0.016, ge=0, le=0.5, description="Byte-identical copies, as a share of the faces.")
    conflict_share: float = Field(0.3, ge=0, le=1, description="Share of the copies with a different age or gender.")
    broken_files: int = Field(
        2,
        ge=0,
        description="Number of files with each kind of fault: name without race, truncated JPEG, empty file, "
        "PNG named .jpg, grey image.",
    )

    @model_validator(mode="after")
    def _shares_and_cells_fit(self) -> Self:
        for key, shares in (("class_shares", self.class_shares), ("age_shares", self.age_shares)):
            if sum(shares) <= 0:
                raise SettingError(f"{key} are all 0", remedy="set at least one of them above 0")
        if self.faces < _FILLED_CELLS * self.smallest_cell:
            raise SettingError(
                f"{self.faces} faces are too few to put {self.smallest_cell} into each of {_FILLED_CELLS} cells",
                remedy=f"set faces to {_FILLED_CELLS * self.smallest_cell} or more, or lower smallest_cell",
            )
        return self
