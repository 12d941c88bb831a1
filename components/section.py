"""The base class of every section of the settings."""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict


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
    """One section of the settings: unknown keys are refused and values never change.

    A section travels to its stage as a KFP dict parameter. That parameter is a protobuf
    ``Struct``, in which every number is a float (``3`` comes back as ``3.0``), so a stage
    validates it again with :meth:`from_parameter`, which turns whole floats back into integers.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)

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
