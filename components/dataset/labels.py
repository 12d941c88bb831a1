"""Names of the classes and age bins that a manifest's codes stand for."""

from dataclasses import dataclass
from typing import Any

import numpy as np

GENDERS = ("Male", "Female")
"""UTKFace's gender codes 0 and 1."""

ETHNICITIES = ("White", "Black", "Asian", "Indian", "Other")
"""UTKFace's race codes 0 to 4."""


@dataclass(frozen=True)
class Labels:
    """What the codes in a manifest mean.

    Attributes:
        genders: Name of each gender code.
        ethnicities: Name of each ethnicity code. Classes that preprocess dropped are absent, so the
            codes of a manifest are contiguous even if UTKFace's are not.
        max_age: Highest age, in years. The age bins cover 1 to ``max_age``.
        age_bin_width: Width of an age bin, in years. The last bin may be narrower.
    """

    genders: tuple[str, ...] = GENDERS
    ethnicities: tuple[str, ...] = ETHNICITIES[:4]
    max_age: int = 80
    age_bin_width: int = 10

    @property
    def age_bins(self) -> tuple[str, ...]:
        """Name of each age bin, such as ``"1-10"``."""
        starts = range(1, self.max_age + 1, self.age_bin_width)
        return tuple(f"{start}-{min(start + self.age_bin_width - 1, self.max_age)}" for start in starts)

    @property
    def cell_count(self) -> int:
        """Number of gender × ethnicity × age-bin cells."""
        return len(self.genders) * len(self.ethnicities) * len(self.age_bins)

    def age_bin(self, age_years: np.ndarray) -> np.ndarray:
        """Return the age bin of each age, int8, same shape. Ages start at 1."""
        return ((np.asarray(age_years) - 1) // self.age_bin_width).astype(np.int8)

    def cell_name(self, cell: int) -> str:
        """Return a cell's name, such as ``"Female, Asian, 71-80"``."""
        shape = (len(self.genders), len(self.ethnicities), len(self.age_bins))
        gender, ethnicity, age_bin = (int(code) for code in np.unravel_index(cell, shape))
        return f"{self.genders[gender]}, {self.ethnicities[ethnicity]}, {self.age_bins[age_bin]}"

    def to_dict(self) -> dict[str, Any]:
        """Return the labels as JSON values."""
        return {
            "genders": list(self.genders),
            "ethnicities": list(self.ethnicities),
            "max_age": self.max_age,
            "age_bin_width": self.age_bin_width,
        }

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Labels":
        """Return the labels that :meth:`to_dict` gave."""
        return cls(
            genders=tuple(content["genders"]),
            ethnicities=tuple(content["ethnicities"]),
            max_age=int(content["max_age"]),
            age_bin_width=int(content["age_bin_width"]),
        )
