"""The rejects: the table of every file that was not used, and why."""

import os

import pandas as pd
import pyarrow as pa

from components.dataset.tables import write_table

REJECTS_SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("file_name", "reason", "detail")])
"""Columns of the rejects: one row per file that was not used, sorted by ``file_name``."""


def write_rejects(path: str | os.PathLike[str], rejects: pd.DataFrame) -> None:
    """Write the rejects as Parquet, sorted by file name, atomically.

    Args:
        path: File to write.
        rejects: The columns of :data:`REJECTS_SCHEMA`, in any order; others are ignored.
    """
    write_table(path, rejects.sort_values(REJECTS_SCHEMA.names), REJECTS_SCHEMA)
