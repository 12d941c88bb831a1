"""What a hyperparameter search chose; tune writes it, train and compare read it."""

import os
from typing import Any

from pydantic import JsonValue

from components.contract import Contract
from components.errors import ArtifactError
from components.files import read_json
from components.model.settings import Hyperparameters


class SearchResult(Contract):
    """The hyperparameters of one variant and where they came from."""

    variant: str
    """The variant whose losses and weights the trials trained with."""
    values: Hyperparameters
    """The hyperparameters."""
    source: str
    """Where they came from, as text."""
    trials: int
    """Number of trials; 0 where the settings fix the values, and the fields below are then unset."""
    score: float | None = None
    """Sum of the objectives in the best trial."""
    objectives: dict[str, str] | None = None
    """Direction of each metric that was optimised."""
    space: dict[str, JsonValue] | None = None
    """What was searched, a section of the settings."""
    budget: dict[str, int] | None = None
    """Trials, initial points and epochs of each trial."""

    def to_json(self) -> dict[str, Any]:
        """Return the facts as JSON values; without a search, leave out the fields that describe one."""
        return self.model_dump(mode="json", exclude_none=True)


def read_searches(path: str | os.PathLike[str]) -> dict[str, SearchResult]:
    """Return the searches that the tune stage gathered, by variant.

    Raises:
        ArtifactError: If the file is missing, holds no search, or a search in it has the wrong form.
    """
    content = read_json(path)
    if not isinstance(content, dict) or not content:
        raise ArtifactError(f"{path} holds no search by variant", remedy="run tune again")
    return {variant: SearchResult.parse(search, path) for variant, search in content.items()}
