"""The known name nearest to an unknown one."""

import difflib
from collections.abc import Iterable


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Return the nearest known name as an aside for an error message, or an empty string if none is near.

    Example:
        >>> did_you_mean("dmo", ["demo", "poc"])
        " (did you mean 'demo'?)"
    """
    matches = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f" (did you mean '{matches[0]}'?)" if matches else ""
