"""The base class of what one stage writes as JSON for another to read."""

import os
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import ArtifactError
from components.files import read_json, write_json


class Contract(BaseModel):
    """Facts in a fixed form: unknown keys are refused and values never change."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)

    @classmethod
    def parse(cls, content: Any, path: str | os.PathLike[str]) -> Self:
        """Return the facts that a file's JSON content holds.

        Raises:
            ArtifactError: If its form is not the expected one; the message names the file and the first mismatch.
        """
        try:
            return cls.model_validate(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(map(str, first["loc"])) or "content"
            raise ArtifactError(
                f"{path} does not have the form that this version of evenface expects ({place}: {first['msg']})",
                remedy="rerun the stage that writes it",
            ) from None

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the facts from a JSON file.

        Raises:
            ArtifactError: If the file is missing, is not JSON, or has a different form.
        """
        return cls.parse(read_json(path), path)

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values."""
        return self.model_dump(mode="json")

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the facts as JSON, atomically."""
        write_json(path, self.to_json())
