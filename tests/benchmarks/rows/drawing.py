"""The row on drawing the test set and splitting the pool."""

from dataclasses import replace
from functools import partial

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns
from tests.benchmarks.row import Row, share

_MANY, _FEW = 1_000_000, 250_000


def our_draw(faces: Faces, turns: Turns, rows: int) -> None:
    """Draw the test set from a manifest of so many made-up rows, and split what is left."""
    from components.build_test_set.build_test_set import build_test_set
    from components.build_test_set.settings import BuildTestSetSettings
    from components.split.settings import SplitSettings
    from components.split.split import split

    written = faces.folder / f"rows-{rows}"
    written.mkdir()
    manifest, test, pool, summary, train, validation = (
        str(written / name) for name in ("manifest", "test", "pool", "summary", "train", "validation")
    )
    _write_manifest(rows, manifest)
    for _ in turns:
        build_test_set(manifest, BuildTestSetSettings(), test, pool, summary)
        split(pool, SplitSettings(), train, validation)


def _write_manifest(rows: int, path: str) -> None:
    """Write a manifest in which one face in twenty is a copy of the one before it."""
    import numpy as np

    from tests.components.simulation import PRIORS, simulate_manifest

    originals = np.arange(rows)
    originals[1::20] -= 1
    manifest = simulate_manifest(rows, priors=PRIORS)
    hashes = [f"{group:064x}" for group in originals]
    labelled = manifest.faces[["age", "log_age", "gender", "ethnicity", "age_bin"]].iloc[originals]
    faces = manifest.faces.assign(
        **{name: column.to_numpy() for name, column in labelled.items()},
        duplicate_group=originals.astype(np.int32),
        content_hash=hashes,
    )
    replace(manifest, faces=faces).write(path)


ROWS = (
    Row(
        "draw",
        "build_test_set and split, 1,000,000 rows against 250,000",
        partial(our_draw, rows=_MANY),
        partial(our_draw, rows=_FEW),
        bars=(share(4.2),),
    ),
)
