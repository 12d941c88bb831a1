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

    faces: int = Field(3000, ge=1, description="Distinct pictures with a sound file, not counting copies.")
    image_side: int = Field(64, ge=16, le=1024, description="Side of the square images, in pixels.")
    seed: int = Field(0, ge=0, description="Fixes every label, name and pixel.")
    class_shares: tuple[Share, Share, Share, Share, Share] = Field(
        (0.41, 0.18, 0.18, 0.16, 0.07), description="Relative frequency of White, Black, Asian, Indian and Other."
    )
    female_share: float = Field(0.48, ge=0, le=1, description="Share of the gender code 1.")
    age_shares: tuple[Share, ...] = Field(
        (0.13, 0.07, 0.31, 0.19, 0.09, 0.10, 0.06, 0.03, 0.02),
        min_length=9,
        max_length=9,
        description="Relative frequency of the ages 1-10, 11-20, … 71-80 and 81-116.",
    )
    smallest_cell: int = Field(
        6,
        ge=0,
        description="Faces that each gender × class × ten-year age bin up to 80 has at least, 'Other' apart: "
        "enough for the balanced test set and a few to learn from.",
    )
    ambiguity: float = Field(
        1.0,
        ge=0,
        le=3,
        description="How far the pictures of neighbouring labels overlap. At 0 every label can be read off without "
        "error; at 1 the best reader of hues mistakes White for Asian, or back, about once in twelve.",
    )
    duplicate_share: float = Field(0.016, ge=0, le=0.5, description="Byte-identical copies, as a share of the faces.")
    conflict_share: float = Field(0.3, ge=0, le=1, description="Share of the copies with another age or gender.")
    broken_files: int = Field(
        2,
        ge=0,
        description="Files of each kind of fault: name without race, truncated JPEG, empty file, "
        "PNG named .jpg, grey image.",
    )

    @model_validator(mode="after")
    def _shares_and_cells_fit(self) -> Self:
        for key, shares in (("class_shares", self.class_shares), ("age_shares", self.age_shares)):
            if sum(shares) <= 0:
                raise SettingError(f"{key} are all 0", remedy="give at least one of them a share")
        if self.faces < _FILLED_CELLS * self.smallest_cell:
            raise SettingError(
                f"{self.faces} faces can't put {self.smallest_cell} into each of {_FILLED_CELLS} cells",
                remedy=f"set faces to {_FILLED_CELLS * self.smallest_cell} or more, or smallest_cell lower",
            )
        return self
