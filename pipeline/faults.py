"""Faults of the machine that a sentence and a cure explain: no space, no rights, no memory."""

import errno
import re

from components.errors import EvenfaceError, RequestError
from pipeline.platforms.submission import RunFailedError

_ROOM = (
    "free some space, or write elsewhere with --output (temporary files: TMPDIR); what is finished is not made again"
)
_MEMORY = (
    "close other programs, lower training.batch_size, or use a machine with more; what is finished is not made again"
)
_RIGHTS = "give this user the right to it, or write elsewhere with --output"
_EXPLAINED = (
    ("No space left on device", "the disk is full", _ROOM),
    ("Disk quota exceeded", "this user's share of the disk is used up", _ROOM),
    ("File too large", "a file grew larger than this process may write", "raise the limit that `ulimit -f` shows"),
    ("Read-only file system", "the file system is read-only", "write elsewhere with --output"),
    ("Permission denied", "this user may not do that", _RIGHTS),
    ("No usable temporary directory", "there is no folder for temporary files", "create one and set TMPDIR to it"),
    ("MemoryError", "there is not enough memory", _MEMORY),
    ("Cannot allocate memory", "there is not enough memory", _MEMORY),
    ("bad_alloc", "there is not enough memory", _MEMORY),
    ("OOM when allocating", "there is not enough memory", _MEMORY),
    ("Out of memory while trying to allocate", "there is not enough memory", _MEMORY),
)
# How TensorFlow names the operation that met a fault.
_INTERNAL = re.compile(r"\{\{[^{}]*\}\} ?| ?\[Op:\w+\]")
_REFUSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS})


def explain_message(message: str) -> str:
    """Return the last line of a traceback with what it means and what to do, where that is known.

    Args:
        message: The error's name, a colon, and its own words, which may quote any library's.
    """
    for words, problem, remedy in _EXPLAINED:
        if words in message:
            return f"{problem} ({_INTERNAL.sub('', message).rstrip('.')}): {remedy}."
    return message


def explain_error(error: OSError | MemoryError) -> EvenfaceError | None:
    """Return the sentence for a fault that this process met itself, or None where there is none.

    What may not be read or written is a wrong request; a full disk is a failure.
    """
    name = getattr(error, "filename", None)
    message = str(error) if isinstance(error, OSError) else type(error).__name__
    for words, problem, remedy in _EXPLAINED:
        if words in message:
            kind = RequestError if getattr(error, "errno", None) in _REFUSED else RunFailedError
            sentence = problem[0].upper() + problem[1:]
            return kind(f"{sentence} ({name})" if name else sentence, remedy=remedy)
    return None
