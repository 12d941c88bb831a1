"""The errors that evenface explains to its user: one sentence, with the cure in it."""


class EvenfaceError(Exception):
    """An expected failure.

    The message is what the user reads: one sentence that says what is wrong and what to do.
    """


class RequestError(EvenfaceError):
    """The request itself is wrong: an unknown name, a wrong type, an impossible pair of settings."""


class DataError(EvenfaceError):
    """The data does not allow what was asked: no face, too many faults, a cell with too few faces."""


class ArtifactError(EvenfaceError):
    """An artifact of an earlier stage is missing, damaged or of another schema."""
