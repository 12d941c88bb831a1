"""What a folder registry needs from a file system or a bucket."""

from pathlib import Path
from typing import Any, Protocol


class Store(Protocol):
    """Named contents below one place, whose replacement can be conditional.

    Attributes:
        place: Where it is, for people.
    """

    place: str

    def read(self, name: str) -> tuple[bytes, Any] | None:
        """Return a content and the token of its state, or None if there is none of this name."""

    def replace(self, name: str, content: bytes, token: Any) -> bool:
        """Write a content if the state is still the one of the token, and return whether it was.

        Args:
            name: Name of the content.
            content: Unlike any other, so that its own earlier attempt is recognised.
            token: From :meth:`read`; None if there must be none of this name.
        """

    def names(self, prefix: str) -> list[str]:
        """Return every name that begins with ``prefix``, which ends in a slash, sorted."""

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Copy a folder with ``digests.json``, which appears only when every other file is there."""

    def get_folder(self, prefix: str, folder: Path) -> None:
        """Copy everything below a prefix into a folder that does not exist."""
