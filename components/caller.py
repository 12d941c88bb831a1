"""Who runs this process."""

import getpass
import os
import socket


def whoami() -> str:
    """Return the user and the machine, as ``user@host``; in a container these are the container's."""
    return f"{user_name()}@{socket.gethostname()}"


def user_name() -> str:
    """Return the user's name, or the number of one without a name."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
