"""The rejects: the table of every file that was not used, and why."""

import os

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.files import atomic_path

REJECTS_SCHEMA = pa.schema(
    [
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("detail", pa.string(), nullable=False),
    ]
)
"""Columns of the rejects: one row per file that was not used, sorted by ``file_name``."""


def write_rejects(path: str | os.PathLike[str], rejects: pd.DataFrame) -> None:
    """Write the rejects as Parquet, sorted by file name, atomically.

    Args:
        path: File to write.
        rejects: The columns of :data:`REJECTS_SCHEMA`, in any order; others are ignored.
    """
    ordered = rejects[REJECTS_SCHEMA.names].sort_values(REJECTS_SCHEMA.names)
    table = pa.Table.from_pandas(ordered, schema=REJECTS_SCHEMA, preserve_index=False)
    with atomic_path(path) as draft:
        pq.write_table(table.replace_schema_metadata(None), draft, compression="zstd")
