"""Names of the classes and age bins that a manifest's codes stand for, and the cells that they span."""

import math
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

GENDERS = ("Male", "Female")
"""UTKFace's gender codes 0 and 1."""

ETHNICITIES = ("White", "Black", "Asian", "Indian", "Other")
"""UTKFace's race codes 0 to 4."""

CELL_COLUMNS = ("gender", "ethnicity", "age_bin")
"""Columns of a manifest whose codes together make a cell; the test set is balanced over the cells."""


@dataclass(frozen=True)
class Labels:
    """What the codes in a manifest mean.

    Attributes:
        genders: Name of each gender code.
        ethnicities: Name of each ethnicity code. Classes that preprocess dropped are absent, so the
            codes of a manifest are contiguous even if UTKFace's are not.
        max_age: Highest age, in years. The age bins cover 1 to ``max_age``.
        age_bin_width: Width of an age bin, in years. The last bin may be narrower.
        age_unit: What an age counts, in the plural. Wherever the code says years, it means these.
    """

    genders: tuple[str, ...] = GENDERS
    ethnicities: tuple[str, ...] = ETHNICITIES[:4]
    max_age: int = 80
    age_bin_width: int = 10
    age_unit: str = "years"

    @property
    def age_bins(self) -> tuple[str, ...]:
        """Name of each age bin, such as ``"1-10"``."""
        starts = range(1, self.max_age + 1, self.age_bin_width)
        return tuple(f"{start}-{min(start + self.age_bin_width - 1, self.max_age)}" for start in starts)

    def names(self, column: str) -> tuple[str, ...]:
        """Return the names that the codes of a column stand for.

        Args:
            column: A classification output, or ``"age_bin"``.
        """
        return {"gender": self.genders, "ethnicity": self.ethnicities, "age_bin": self.age_bins}[column]

    def age_bin(self, age_years: npt.ArrayLike) -> npt.NDArray[np.int8]:
        """Return the age bin of each age, same shape. Ages start at 1."""
        return ((np.asarray(age_years) - 1) // self.age_bin_width).astype(np.int8)

    @property
    def cell_shape(self) -> tuple[int, ...]:
        """Number of genders, of ethnicities and of age bins: the shape of the cells."""
        return tuple(len(self.names(column)) for column in CELL_COLUMNS)

    @property
    def cell_count(self) -> int:
        """Number of gender × ethnicity × age-bin cells."""
        return math.prod(self.cell_shape)

    def cells(self, faces: Any) -> npt.NDArray[np.int64]:
        """Return the cell of each face, shape ``[faces]``, 0 … ``cell_count`` − 1.

        Args:
            faces: A data frame or other mapping with the codes of :data:`CELL_COLUMNS`.
        """
        codes = [np.asarray(faces[column], np.int64) for column in CELL_COLUMNS]
        return np.ravel_multi_index(codes, self.cell_shape)

    def cell_name(self, cell: int) -> str:
        """Return a cell's name, such as ``"Female, Asian, 71-80"``."""
        codes = np.unravel_index(cell, self.cell_shape)
        return ", ".join(self.names(column)[int(code)] for column, code in zip(CELL_COLUMNS, codes, strict=True))

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the gender × ethnicity groups, the cells without their age bins, in the cells' order."""
        return tuple(f"{gender}, {ethnicity}" for gender in self.genders for ethnicity in self.ethnicities)

    def to_dict(self) -> dict[str, Any]:
        """Return the labels as JSON values."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Labels":
        """Return the labels that :meth:`to_dict` returned as JSON values."""
        genders, ethnicities = tuple(content["genders"]), tuple(content["ethnicities"])
        return cls(genders, ethnicities, content["max_age"], content["age_bin_width"], content.get("age_unit", "years"))
