"""What killed runs leave behind, and its removal by the next one."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from components.files import is_holder
from pipeline.platforms.local.lock import take_lock
from pipeline.platforms.local.run_folder import RunFolder
from pipeline.platforms.local.verified_cache import VerifiedCache

_SCRATCH_PREFIX = "evenface-scratch-"


def sweep(folder: RunFolder, cache: VerifiedCache) -> int:
    """Remove what earlier runs did not finish: drafts, artifacts that no cache entry knows, temporary files.

    Args:
        folder: A run folder whose lock this process holds.
        cache: Its cache.

    Returns:
        The number of files and folders that were removed.
    """
    known: set[Path] = set()
    for key in set(cache.keys()):
        proof = cache.read_proof(key)
        if proof is None:
            cache.remove(key)
        else:
            known |= {Path(path).parent for path in proof.artifacts}
    above = {parent for path in known for parent in path.parents}
    stale = [path for run in folder.artifacts.resolve().glob("[!.]*") for path in _unknown(run, known, above)]
    stale += _holders(folder.path)
    for path in stale:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return len(stale) + _remove_abandoned_scratch()


@contextmanager
def scratch() -> Iterator[None]:
    """Give this process and its children a folder of their own for temporary files, which is gone when they are.

    KFP leaves a folder in the system's for every task, and a killed stage leaves whatever it had there.
    """
    folder, descriptor = _new_scratch()
    before, kept = tempfile.tempdir, os.environ.get("TMPDIR")
    tempfile.tempdir = os.environ["TMPDIR"] = str(folder)
    try:
        yield
    finally:
        tempfile.tempdir = before
        os.environ.pop("TMPDIR")
        if kept is not None:
            os.environ["TMPDIR"] = kept
        shutil.rmtree(folder, ignore_errors=True)
        os.close(descriptor)


def _new_scratch() -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_SCRATCH_PREFIX))
        # Between the two steps another run may take it for abandoned.
        if descriptor := take_lock(folder):
            return folder, descriptor


def _remove_abandoned_scratch() -> int:
    count = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_SCRATCH_PREFIX}*/"):
        with suppress(PermissionError):  # Another user's.
            if descriptor := take_lock(folder):
                shutil.rmtree(folder, ignore_errors=True)
                os.close(descriptor)
                count += 1
    return count


def _unknown(path: Path, known: set[Path], above: set[Path]) -> Iterator[Path]:
    """Yield what lies at or below a path and neither belongs to a known folder nor contains one."""
    if path in above:
        for inner in path.iterdir():
            yield from _unknown(inner, known, above)
    elif path not in known:
        yield path


def _holders(folder: Path) -> Iterator[Path]:
    for above, names, _ in os.walk(folder):
        for name in list(names):
            if is_holder(path := Path(above, name)):
                names.remove(name)
                yield path
