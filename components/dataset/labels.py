"""Names of the classes and age bins that a manifest's codes stand for, and the cells that they span."""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

import numpy as np
import numpy.typing as npt
from pydantic import Field

from components.dataset.outputs import ALL_OUTPUTS, FOCUS, OUTPUTS, Output

GENDERS = ("Male", "Female")
"""UTKFace's gender codes 0 and 1."""

ETHNICITIES = ("White", "Black", "Asian", "Indian", "Other")
"""UTKFace's race codes 0 to 4."""

CELL_COLUMNS = ("gender", "ethnicity", "age_bin")
"""Columns of a manifest whose codes together make a cell; the test set is balanced over the cells."""

_ANY = "any"
"""The only class, or age bin, of an output that is switched off."""


def _are_all(names: tuple[str, ...]) -> bool:
    return names == ALL_OUTPUTS


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
        output_names: The outputs that there are, in the order of :data:`~components.dataset.outputs.OUTPUTS`. Of one
            that is switched off, every face has code 0, which stands for ``"any"``. A file that does not name them
            has them all.
    """

    genders: tuple[str, ...] = GENDERS
    ethnicities: tuple[str, ...] = ETHNICITIES[:4]
    max_age: int = 80
    age_bin_width: int = 10
    age_unit: str = "years"
    output_names: Annotated[tuple[str, ...], Field(exclude_if=_are_all)] = ALL_OUTPUTS

    def __post_init__(self) -> None:
        """Make labels equal that differ only in what is switched off.

        Raises:
            ValueError: If an output is unknown, out of order, or the one whose classes are balanced is not there.
        """
        known = tuple(name for name in ALL_OUTPUTS if name in self.output_names)
        if self.output_names != known or FOCUS.name not in known:
            raise ValueError(f"there are no outputs {self.output_names}")
        unread: dict[str, Any] = {}
        if "gender" not in self.output_names:
            unread["genders"] = (_ANY,)
        if "age" not in self.output_names:
            unread |= {"max_age": 1, "age_bin_width": 1, "age_unit": "years"}
        for name, value in unread.items():
            object.__setattr__(self, name, value)

    @property
    def outputs(self) -> Mapping[str, Output]:
        """The outputs that there are, by name: what is learned, served and judged."""
        return {name: OUTPUTS[name] for name in self.output_names}

    @property
    def classified(self) -> Mapping[str, Output]:
        """Those that choose among classes."""
        return {name: output for name, output in self.outputs.items() if output.is_classified}

    @property
    def choice_of_outputs(self) -> list[str]:
        """Names of the outputs where some are switched off, nothing else: an addition to the key of a cache."""
        return [] if _are_all(self.output_names) else list(self.output_names)

    @property
    def age_bins(self) -> tuple[str, ...]:
        """Name of each age bin, such as ``"1-10"``."""
        if "age" not in self.output_names:
            return (_ANY,)
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
        if "age" not in self.output_names:
            return np.zeros(np.shape(age_years), np.int8)
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
            faces: A data frame or other mapping with the codes of :attr:`cell_columns`.
        """
        codes = [np.asarray(faces[column], np.int64) for column in self.cell_columns]
        return np.ravel_multi_index(codes, [len(self.names(column)) for column in self.cell_columns])

    def cell_name(self, cell: int) -> str:
        """Return a cell's name, such as ``"Female, Asian, 71-80"``; what is switched off is no part of it."""
        codes = zip(CELL_COLUMNS, np.unravel_index(cell, self.cell_shape), strict=True)
        return ", ".join(self.names(column)[int(code)] for column, code in codes if column in self.cell_columns)

    @property
    def cell_columns(self) -> tuple[str, ...]:
        """Those of :data:`CELL_COLUMNS` that tell faces apart: all but those of outputs that are switched off."""
        told = {output.groups for output in self.outputs.values()}
        return tuple(column for column in CELL_COLUMNS if column in told)

    @property
    def cell_kind(self) -> str:
        """What makes a cell, such as ``"gender × ethnicity × age-bin"``."""
        return " × ".join(column.replace("_", "-") for column in self.cell_columns)

    @property
    def group_kind(self) -> str:
        """What makes a group, such as ``"gender × ethnicity"``."""
        return " × ".join(column for column in self.cell_columns if column != "age_bin")

    @property
    def group_names(self) -> tuple[str, ...]:
        """Names of the gender × ethnicity groups, the cells without their age bins, in the cells' order."""
        if "gender" not in self.output_names:
            return self.ethnicities
        return tuple(f"{gender}, {ethnicity}" for gender in self.genders for ethnicity in self.ethnicities)

    def to_dict(self) -> dict[str, Any]:
        """Return the labels as JSON values."""
        content = asdict(self)
        if _are_all(self.output_names):
            del content["output_names"]
        return content

    @classmethod
    def from_dict(cls, content: dict[str, Any]) -> "Labels":
        """Return the labels that :meth:`to_dict` returned as JSON values."""
        return cls(
            tuple(content["genders"]),
            tuple(content["ethnicities"]),
            content["max_age"],
            content["age_bin_width"],
            content.get("age_unit", "years"),
            tuple(content.get("output_names", ALL_OUTPUTS)),
        )
