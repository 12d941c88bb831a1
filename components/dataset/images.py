"""Reading images back from their shards."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.dataset.manifest import Manifest
from components.dataset.shards import SHARD_SCHEMA
from components.dataset.tables import check_schema
from components.errors import ArtifactError


def read_encoded(images_path: str | os.PathLike[str], manifest: Manifest) -> Iterator[bytes]:
    """Yield the bytes of each face of a manifest, in the manifest's order.

    Shards are read once from front to back. Where the manifest's order differs, the bytes pass
    through a temporary file, so memory does not grow with the number of faces.

    Raises:
        ArtifactError: If a shard is missing or damaged or holds a different image from the manifest's.
    """
    places = manifest.faces[["shard", "row", "image_id"]]
    order = np.lexsort((places["row"].to_numpy(), places["shard"].to_numpy()))
    in_shard_order = _read_in_shard_order(Path(images_path), places.iloc[order])
    if (order == np.arange(len(order))).all():
        yield from in_shard_order
        return
    lengths = np.zeros(len(order), np.int64)
    starts = np.zeros(len(order), np.int64)
    with tempfile.TemporaryFile() as spool:
        for position, content in zip(order, in_shard_order, strict=True):
            starts[position] = spool.tell()
            lengths[position] = len(content)
            spool.write(content)
        for start, length in zip(starts.tolist(), lengths.tolist(), strict=True):
            spool.seek(start)
            yield spool.read(length)


def read_shards(images_path: str | os.PathLike[str]) -> Iterator[tuple[str, bytes]]:
    """Yield the image_id and bytes of every image in a folder of shards, in the order in which they were added.

    Raises:
        ArtifactError: If a shard is damaged.
    """
    for path in sorted(Path(images_path).glob("*.parquet")):
        with _damage_explained(path):
            rows = np.arange(pq.read_metadata(path).num_rows)
        yield from _read_rows(path, rows)


def _read_in_shard_order(folder: Path, places: pd.DataFrame) -> Iterator[bytes]:
    for shard, faces in places.groupby("shard", sort=True):
        path = folder / str(shard)
        rows = faces["row"].to_numpy()
        for image_id, (actual_id, content) in zip(faces["image_id"], _read_rows(path, rows), strict=True):
            if image_id != actual_id:
                problem = f"{path} holds image {actual_id} where the manifest says {image_id}"
                raise ArtifactError(f"{problem}, so they come from different runs", remedy="run preprocess again")
            yield content


def _read_rows(path: Path, rows: np.ndarray) -> Iterator[tuple[str, bytes]]:
    """Yield image_id and bytes of the given rows of a shard, ascending; row groups with none of them are skipped."""
    with _damage_explained(path), pq.ParquetFile(path) as shard:
        check_schema(path, shard.schema_arrow, SHARD_SCHEMA)
        total, last = shard.metadata.num_rows, rows[-1]
        if last >= total:
            problem = f"{path} has {total} rows, but the manifest names row {last}"
            raise ArtifactError(problem, remedy="run preprocess again")
        start = 0
        for group in range(shard.num_row_groups):
            stop = start + shard.metadata.row_group(group).num_rows
            wanted = rows[np.searchsorted(rows, start) : np.searchsorted(rows, stop)] - start
            if len(wanted):
                images = shard.read_row_group(group, columns=SHARD_SCHEMA.names)
                for row in wanted.tolist():
                    yield images["image_id"][row].as_py(), images["jpeg"][row].as_py()
            start = stop


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ArtifactError(f"The image shard {path} does not exist", remedy="run preprocess again") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise ArtifactError(f"The image shard {path} is damaged ({error})", remedy="run preprocess again") from None
