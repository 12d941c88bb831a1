"""KFP's local cache, which reuses a stage only if what it left is still what it made.

KFP decides by the key alone: it takes any artifact that exists. Here the digests of a stage's artifacts are kept
beside its entry, and an entry that does not match is a miss.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from kfp import dsl
from kfp.local import cache as kfp_cache

from components.contract import Contract
from components.digests import digest_of
from components.errors import ArtifactError
from components.files import atomic_path
from pipeline.platforms.local.tasks import Task
from pipeline.platforms.submission import Show

_NAMED_BY_FINGERPRINT = "preprocess"
"""The stage whose result depends on what the source holds and not on its name; a part also depends on the order."""


class Proof(Contract):
    """What a cache entry refers to, as it was when its stage ended."""

    entry: str
    """Digest of KFP's own file."""
    artifacts: dict[str, str]
    """For each artifact's path, its digest."""


class VerifiedCache(kfp_cache.LocalCache):  # type: ignore[misc] # KFP has no types
    """A cache of finished stages that gives back only what was made.

    Args:
        root: Where the entries are kept.
        reuse: Whether earlier stages count; if not, they are replaced.
        show: Called with a line for each stage whose artifacts were changed.
        reused: Called with each task that an earlier run had done.

    Attributes:
        digests: For each artifact's path that this run made or reused, its digest.
    """

    def __init__(
        self, root: Path, *, reuse: bool, show: Show, reused: Callable[[Task], None] = lambda task: None
    ) -> None:
        super().__init__(str(root))
        self.digests: dict[str, str] = {}
        self._root = root
        self._reuse = reuse
        self._show = show
        self._reused = reused
        self._tasks: dict[str, Task] = {}
        self._damaged: dict[str, Proof] = {}

    def compute_key(
        self,
        component_name: str,
        image: str,
        full_command: list[str],
        arguments: dict[str, Any],
        env_vars: dict[str, str] | None = None,
        custom_cache_key: str | None = None,
    ) -> str:
        """Return KFP's key, which for preprocess leaves out what the source is called and how it is packed."""
        task = Task.of(component_name, arguments)
        kept = {
            name: value for name, value in arguments.items() if (task.stage, name) != (_NAMED_BY_FINGERPRINT, "source")
        }
        key: str = super().compute_key(component_name, image, full_command, kept, env_vars, custom_cache_key)
        self._tasks[key] = task
        return key

    def get(self, key: str) -> dict[str, Any] | None:
        """Return the outputs of an earlier stage if all of them are as it left them."""
        proof = self.read_proof(key) if self._reuse else None
        if proof is None:
            return None
        changed = [path for path, digest in proof.artifacts.items() if not _matches(path, digest)]
        if not _matches(str(self._entry(key)), proof.entry):
            changed.append("record")
        if changed:
            names = " and ".join(Path(path).name for path in changed)
            self._show(f"! {self._tasks[key]}: {names} changed on disk after it was made, so it is made again")
            self._damaged[key] = proof
            return None
        outputs: dict[str, Any] | None = super().get(key)
        self.digests |= proof.artifacts
        if outputs is not None:
            self._reused(self._tasks[key])
        return outputs

    def put(self, key: str, outputs: dict[str, Any]) -> None:
        """Keep a stage's outputs and the digests of its artifacts.

        Where a stage was repeated because of damage and made the same again, the new artifacts move to the old places:
        later stages, whose keys name these, remain valid.
        """
        artifacts = _artifacts(outputs)
        digests = {artifact.path: digest_of(artifact.path) for artifact in artifacts}
        damaged = self._damaged.pop(key, Proof(entry="", artifacts={})).artifacts
        if damaged and _by_name(damaged) == _by_name(digests):
            places = {Path(path).name: path for path in damaged}
            for artifact in artifacts:
                place = places[Path(artifact.path).name]
                with atomic_path(place) as draft:
                    Path(artifact.path).rename(draft)
                artifact.uri = place
            digests = damaged
        self.digests |= digests
        self._proof(key).unlink(missing_ok=True)
        super().put(key, outputs)
        # Last: an entry without its proof does not count.
        Proof(entry=digest_of(self._entry(key)), artifacts=digests).write(self._proof(key))

    def forget(self, stage: str) -> None:
        """Drop the entries of a stage's tasks that this run made or reused."""
        for key, task in self._tasks.items():
            if task.stage == stage:
                self._proof(key).unlink(missing_ok=True)

    def keys(self) -> Iterator[str]:
        """Yield the keys of all entries that KFP or this class wrote."""
        yield from {path.name.split(".")[0] for path in self._root.glob("*.json")}

    def read_proof(self, key: str) -> Proof | None:
        """Return an entry's proof, or None where there is none that can be read, or it is of another run's folder."""
        try:
            proof = Proof.read(self._proof(key))
        except ArtifactError:
            return None
        # A run folder that was moved or copied names the artifacts of the old place.
        return proof if all(Path(path).is_relative_to(self._root.parent) for path in proof.artifacts) else None

    def remove(self, key: str) -> None:
        """Remove an entry."""
        self._proof(key).unlink(missing_ok=True)
        self._entry(key).unlink(missing_ok=True)

    def _entry(self, key: str) -> Path:
        return self._root / f"{key}.json"

    def _proof(self, key: str) -> Path:
        return self._root / f"{key}.proof.json"


@contextmanager
def cached_in(cache: VerifiedCache) -> Iterator[None]:
    """Make KFP's local runner use a cache while the block lasts."""
    original = kfp_cache.get_local_cache
    kfp_cache.get_local_cache = lambda: cache
    try:
        yield
    finally:
        kfp_cache.get_local_cache = original


def _artifacts(outputs: Mapping[str, Any]) -> list[dsl.Artifact]:
    """Return the artifacts among a stage's outputs, except those that consist of metadata alone."""
    values = [item for value in outputs.values() for item in (value if isinstance(value, list) else [value])]
    return [value for value in values if isinstance(value, dsl.Artifact) and Path(value.path).exists()]


def _by_name(digests: Mapping[str, str]) -> dict[str, str]:
    """Return the digest of each of a stage's artifacts by its name, which is the last part of its path."""
    return {Path(path).name: digest for path, digest in digests.items()}


def _matches(path: str, digest: str) -> bool:
    try:
        return digest_of(path) == digest
    except OSError:
        return False
