"""The base class of every section of the settings."""

from collections.abc import Iterator
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, model_validator

_LARGEST_WHOLE = 2**31 - 1
_LARGEST = 1e12


class SettingError(ValueError):
    """A settings value that a validator refuses; pydantic turns it into a validation error.

    Args:
        problem: What is wrong, without a full stop.
        remedy: What to write instead, without a full stop.
    """

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(f"{problem}: {remedy}")
        self.problem = problem
        self.remedy = remedy


class Section(BaseModel):
    """One section of the settings: unknown keys are refused, numbers are finite, and values never change.

    Whole numbers fit into 32 bits, as TensorFlow, NumPy's seeds and Kubernetes need them; others are at most 10¹².

    A section travels to its stage as a KFP dict parameter. That parameter is a protobuf
    ``Struct``, in which every number is a float (``3`` comes back as ``3.0``), so a stage
    validates it again with :meth:`from_parameter`, which turns whole floats back into integers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True, allow_inf_nan=False)

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        for name, value in self:
            for number in _numbers(value):
                if abs(number) > (_LARGEST_WHOLE if isinstance(number, int) else _LARGEST):
                    raise SettingError(
                        f"{name} has a number that is too large",
                        remedy=f"use whole numbers of at most {_LARGEST_WHOLE}, and others of at most {_LARGEST:g}",
                    )
        return self

    @classmethod
    def from_parameter(cls, parameter: dict[str, Any]) -> Self:
        """Return the section that a KFP dict parameter holds.

        Raises:
            pydantic.ValidationError: If a key is unknown or a value is invalid.
        """
        return cls.model_validate(parameter)

    def to_parameter(self) -> dict[str, Any]:
        """Return the section as plain JSON values, ready to be a KFP dict parameter.

        KFP's protobuf ``Struct`` can't hold null, so values of None are left out; where None is allowed, it is the
        default.
        """
        return self.model_dump(mode="json", exclude_none=True)


def _numbers(value: Any) -> Iterator[int | float]:
    """Yield the numbers in a field's value; a section inside checks its own."""
    if isinstance(value, int | float):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _numbers(item)
    elif isinstance(value, dict):
        for item in value.values():
            yield from _numbers(item)
