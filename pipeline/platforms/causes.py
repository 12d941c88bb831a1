"""Why a stage failed, in its own sentence, read from what its process printed."""

import json
import re

from components.errors import ArtifactError, DataError, RequestError
from components.printable import printable
from pipeline.faults import explain_message
from pipeline.platforms.submission import RunFailedError

_ERROR = re.compile(r"^(?:[\w.]+\.)?(\w*(?:Error|Exception|Interrupt)): (.+)")
_EXPLAINED = {kind.__name__ for kind in (RequestError, DataError, ArtifactError, RunFailedError)}


def cause_in(line: str) -> str | None:
    """Return the sentence of a line that ends a traceback, or None for every other line.

    An error that evenface explains is its sentence alone, every other one begins with its name.
    The line may also be a JSON object of `components.logs`.
    """
    stripped = line.strip()
    if stripped.startswith("{"):
        stripped = _message_of_error(stripped)
    match = _ERROR.match(stripped)
    if match is None:
        return None
    # A message may quote a name that came with the data, and a terminal obeys escape codes.
    sentence = printable(match[2])
    return sentence if match[1] in _EXPLAINED else explain_message(f"{match[1]}: {sentence}")


def _message_of_error(line: str) -> str:
    try:
        entry = json.loads(line)
    except ValueError:
        return ""
    message = entry.get("message") if isinstance(entry, dict) and entry.get("severity") == "CRITICAL" else None
    return message if isinstance(message, str) else ""
