"""Image shards: Parquet files that hold the bytes of images exactly as received."""

from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

SHARD_SCHEMA = pa.schema(
    [pa.field("image_id", pa.string(), nullable=False), pa.field("jpeg", pa.binary(), nullable=False)]
)
"""Columns of a shard: ``image_id`` as in the manifest, ``jpeg`` the file's bytes (JPEG or PNG)."""

_ROW_GROUP_BYTES = 4 << 20


class ShardWriter(AbstractContextManager["ShardWriter"]):
    """Writes images into shards of about equal size as they arrive.

    Only one row group, about 4 MB, is in memory at any time.

    Args:
        folder: Directory of the shards; it is created.
        shard_bytes: Image bytes after which a new shard begins.

    Example:
        >>> with ShardWriter(folder, shard_bytes=64 << 20) as shards:
        ...     shard, row = shards.add("4f6a…", content)
    """

    def __init__(self, folder: Path, shard_bytes: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._shard_bytes = shard_bytes
        self._shards = 0
        self._writer: pq.ParquetWriter | None = None
        self._rows = self._bytes = self._buffered = 0
        self._image_ids: list[str] = []
        self._contents: list[bytes] = []

    def add(self, image_id: str, content: bytes) -> tuple[str, int]:
        """Add one image.

        Returns:
            The shard's file name and the row in it.
        """
        if self._writer is not None and self._bytes + len(content) > self._shard_bytes:
            self._finish_shard()
        name = f"images-{self._shards:05d}.parquet"
        if self._writer is None:
            # Photos are compressed already.
            self._writer = pq.ParquetWriter(self._folder / name, SHARD_SCHEMA, compression="none", use_dictionary=False)
        place = name, self._rows
        self._image_ids.append(image_id)
        self._contents.append(content)
        self._rows += 1
        self._bytes += len(content)
        self._buffered += len(content)
        if self._buffered >= _ROW_GROUP_BYTES:
            self._flush()
        return place

    def _flush(self) -> None:
        if self._writer is not None and self._image_ids:
            columns = [pa.array(self._image_ids, pa.string()), _binary_array(self._contents)]
            self._writer.write_table(pa.table(columns, schema=SHARD_SCHEMA))
            self._image_ids, self._contents, self._buffered = [], [], 0

    def _finish_shard(self) -> None:
        self._flush()
        if self._writer is not None:
            self._writer.close()
            self._writer = None
            self._shards += 1
            self._rows = self._bytes = 0

    def __exit__(self, *exception: object) -> None:
        """Finish the last shard."""
        self._finish_shard()


def _binary_array(contents: list[bytes]) -> pa.BinaryArray:
    """Return the same as ``pa.array(contents)``, but copy each content once, not each time that a buffer grows."""
    ends = np.cumsum([0, *map(len, contents)], dtype=np.int64)
    buffers = [None, pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(b"".join(contents))]
    array = pa.Array.from_buffers(pa.binary(), len(contents), buffers)
    array.validate()
    return array
