"""The errors that evenface explains to its user: what is wrong, and what to do about it."""

from components.printable import printable


class EvenfaceError(Exception):
    """An expected failure, stated in one printable line: the problem, a colon and the remedy.

    Args:
        problem: What is wrong, without a full stop.
        remedy: What the user can do about it, without a full stop.

    Example:
        >>> str(DataError("The source faces/ holds no file", remedy="fill it, or name another one"))
        'The source faces/ holds no file: fill it, or name another one.'
    """

    def __init__(self, problem: str, *, remedy: str) -> None:
        super().__init__(printable(f"{problem}: {remedy}."))
        self.problem = problem
        self.remedy = remedy


class RequestError(EvenfaceError):
    """The request itself is wrong: an unknown name, a wrong type, an impossible combination of settings."""


class DataError(EvenfaceError):
    """The data does not allow what was asked: no faces, too many faulty files, a cell with too few faces."""


class ArtifactError(EvenfaceError):
    """An artifact of an earlier stage is missing, is damaged or has a different schema."""
