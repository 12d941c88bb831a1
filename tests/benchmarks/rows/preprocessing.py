"""Rows on preprocess."""

import hashlib
import io
import os
from functools import partial
from pathlib import Path

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns
from tests.benchmarks.row import Row, faster, share

_FILES = 3_000
_UTKFACE_FILES, _FEW_FILES = 23_707, 6_000
_ROW_GROUP_BYTES = 4 << 20


def our_preprocess(faces: Faces, turns: Turns, files: int = _FILES) -> None:
    """Preprocess a folder with the default settings."""
    from components.preprocess.preprocess import preprocess
    from components.preprocess.settings import PreprocessSettings

    source, written = str(faces.linked(files)), faces.folder / f"preprocessed-{files}"
    settings = PreprocessSettings(max_reject_fraction=1.0)
    turns.units = files
    for _ in turns:
        preprocess(source, settings, *(str(written / name) for name in ("images", "manifest", "rejects", "summary")))


def pillow_loop(faces: Faces, turns: Turns) -> None:
    """Do the same checks in a plain loop on one core."""
    source = faces.linked(_FILES)
    turns.units = _FILES
    for _ in turns:
        _check_and_pack(source, faces.folder / "looped.parquet")


def _check_and_pack(folder: Path, shard: Path) -> None:
    """Read, hash and decode every file, check its name, size and end, and write its bytes to a shard.

    The groups of near-copies are left out: there the plain way, all pairs, would not be comparable.
    """
    import imagehash
    import pyarrow as pa
    import pyarrow.parquet as pq
    from PIL import Image

    rows: list[tuple[str, str, str, int, int, int]] = []
    names: list[str] = []
    contents: list[bytes] = []
    waiting = 0
    schema = pa.schema([("image_id", pa.string()), ("jpeg", pa.binary())])
    with pq.ParquetWriter(shard, schema, compression="none", use_dictionary=False) as writer:
        for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
            with open(entry.path, "rb") as file:
                content = file.read()
            content_hash = hashlib.sha256(content).hexdigest()
            age, gender, race = map(int, entry.name.split("_")[:3])
            if not (0 < age <= 116 and 0 <= gender <= 1 and 0 <= race <= 4):
                continue
            with Image.open(io.BytesIO(content)) as image:
                if min(image.size) < 32 or image.width * image.height > 25_000_000:
                    continue
                image.load()
                perceptual_hash = imagehash.phash(image, hash_size=16, highfreq_factor=2)
            if b"\xff\xd9" not in content[-64:]:
                continue
            rows.append((entry.name, content_hash, str(perceptual_hash), age, gender, race))
            names.append(content_hash)
            contents.append(content)
            waiting += len(content)
            if waiting > _ROW_GROUP_BYTES:
                writer.write_table(pa.table([names, contents], schema=schema))
                names, contents, waiting = [], [], 0
        writer.write_table(pa.table([names, contents], schema=schema))
    columns = [list(column) for column in zip(*rows, strict=True)]
    pq.write_table(
        pa.table(columns, names=["name", "hash", "picture", "age", "gender", "race"]),
        shard.with_suffix(".rows.parquet"),
    )


ROWS = (
    Row(
        "preprocess",
        "preprocess, against a one-core Pillow loop with the same checks",
        our_preprocess,
        pillow_loop,
        bars=(faster(1.1), faster(1.9, by="wall")),
        unit="file",
        pairs=5,
        constant="preprocess",
    ),
    Row(
        "preprocess_memory",
        "peak memory of preprocess, 23,707 files against 6,000",
        partial(our_preprocess, files=_UTKFACE_FILES),
        partial(our_preprocess, files=_FEW_FILES),
        bars=(share(1.1, by="memory"),),
        unit="file",
        pairs=2,
        warm_up=0,
        fresh=True,
    ),
)
