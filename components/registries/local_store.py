"""A folder of this machine as a store."""

import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.digests import verify_digests
from components.files import atomic_path
from components.registries.registry import RegistryError


class LocalStore:
    """A folder; whoever replaces something in it holds the lock on its file ``.lock``.

    The lock is the operating system's: it ends with its process, however that ends. A network file system must
    support ``flock``.

    Args:
        place: The folder; it is created by the first write.
    """

    def __init__(self, place: str) -> None:
        self.place = place
        self._root = Path(place)

    def read(self, name: str) -> tuple[bytes, str] | None:
        """Return a content and its digest."""
        with self._explained("read"):
            try:
                content = (self._root / name).read_bytes()
            except (FileNotFoundError, NotADirectoryError):
                return None
        return content, hashlib.sha256(content).hexdigest()

    def replace(self, name: str, content: bytes, token: str | None) -> bool:
        """Write a content if its digest is still the one of the token."""
        with self._explained("written"), self._lock():
            current = self.read(name)
            if (None if current is None else current[1]) != token:
                return False
            with atomic_path(self._root / name) as draft:
                draft.write_bytes(content)
        return True

    def names(self, prefix: str) -> list[str]:
        """Return every name below a prefix, drafts left out."""
        with self._explained("read"):
            files = [
                Path(parent, name).relative_to(self._root)
                for parent, _, names in os.walk(self._root / prefix)
                for name in names
            ]
        # Drafts are in folders with a leading dot until they are complete.
        return sorted(path.as_posix() for path in files if not any(part.startswith(".") for part in path.parts))

    def put_folder(self, folder: Path, prefix: str) -> None:
        """Copy a folder and verify the copy, before it appears under its name."""
        with self._explained("written"), atomic_path(self._root / prefix) as draft:
            shutil.copytree(folder, draft, copy_function=shutil.copyfile)
            verify_digests(draft)

    def get_folder(self, prefix: str, folder: Path) -> None:
        """Copy everything below a prefix."""
        with self._explained("read"):
            if (self._root / prefix).is_dir():
                shutil.copytree(self._root / prefix, folder, copy_function=shutil.copyfile)
            else:
                folder.mkdir(parents=True)

    @contextmanager
    def _lock(self) -> Iterator[None]:
        self._root.mkdir(parents=True, exist_ok=True)
        with (self._root / ".lock").open("a") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def _explained(self, verb: str) -> Iterator[None]:
        try:
            yield
        except (OSError, shutil.Error) as error:
            cause = getattr(error, "strerror", None) or type(error).__name__
            raise RegistryError(
                f"The registry {self.place} can't be {verb} ({cause})", remedy="check its rights and its disk"
            ) from None
