"""What can be checked about a platform before anything runs there."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self

from components.errors import EvenfaceError

PATIENCE_SECONDS = 10.0
"""Longest time that a check waits for an answer."""


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: What was checked.
        passed: Whether it is in order.
        finding: What was found.
        remedy: What to do if it did not pass.
        required: Whether a run is impossible without it.
    """

    name: str
    passed: bool
    finding: str
    remedy: str = ""
    required: bool = True

    @classmethod
    def attempt(cls, name: str, look: Callable[[], str]) -> Self:
        """Return what `look` found, or why it failed."""
        try:
            return cls(name, True, look())
        except EvenfaceError as error:
            return cls(name, False, error.problem, error.remedy)
