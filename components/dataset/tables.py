"""Parquet tables with a checked schema and a description in their metadata."""

import json
import os
from collections.abc import Callable
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.errors import ArtifactError
from components.files import atomic_path

_DESCRIPTION_KEY = b"evenface"


class TableBuilder:
    """A table that grows row by row and takes little more memory than the finished table.

    Args:
        schema: Columns and their types.

    Example:
        >>> builder = TableBuilder(pa.schema([("file_name", pa.string()), ("age", pa.int64())]))
        >>> builder.add(("25_0_0_1.jpg", 25))
        >>> builder.build().num_rows
        1
    """

    _BLOCK = 4096

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema
        self._blocks: list[pa.RecordBatch] = []
        self._rows: list[tuple[Any, ...]] = []

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self._blocks) * self._BLOCK + len(self._rows)

    def add(self, row: tuple[Any, ...]) -> None:
        """Add one row, its values in the order of the schema."""
        self._rows.append(row)
        if len(self._rows) == self._BLOCK:
            self._finish_block()

    def _finish_block(self) -> None:
        columns = [list(column) for column in zip(*self._rows, strict=True)]
        self._blocks.append(pa.record_batch(columns, schema=self._schema))
        self._rows = []

    def build(self) -> pa.Table:
        """Return the table, and begin a new one, so that the memory is the caller's alone."""
        if self._rows:
            self._finish_block()
        blocks, self._blocks = self._blocks, []
        return pa.Table.from_batches(blocks, self._schema)


def write_described(
    path: str | os.PathLike[str], rows: pd.DataFrame, schema: pa.Schema, description: dict[str, Any]
) -> None:
    """Write a table as one Parquet file, atomically; equal rows and descriptions give equal bytes.

    Args:
        path: File to write.
        rows: The columns of ``schema``; others are left out.
        schema: Columns and their types.
        description: JSON values that a reader needs to understand the rows.
    """
    write_table(path, rows, schema, {_DESCRIPTION_KEY: json.dumps(description, sort_keys=True).encode()})


def write_table(
    path: str | os.PathLike[str], rows: pd.DataFrame, schema: pa.Schema, metadata: dict[bytes, bytes] | None = None
) -> None:
    """Write the columns of ``schema`` as one Parquet file, atomically."""
    table = pa.Table.from_pandas(rows, schema=schema, preserve_index=False).replace_schema_metadata(metadata)
    with atomic_path(path) as draft:
        pq.write_table(table, draft, compression="zstd")


def read_described(
    path: str | os.PathLike[str], schema: pa.Schema | Callable[[dict[str, Any]], pa.Schema], kind: str, stage: str
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Read what :func:`write_described` wrote.

    Args:
        path: The file.
        schema: Columns and types that are expected, or what tells them from the description; others are left out.
        kind: What the file is, for messages: ``"manifest"``.
        stage: The stage that writes it, for messages: ``"preprocess"``.

    Returns:
        The rows and the description.

    Raises:
        ArtifactError: If the file is missing, is not Parquet or has no description, or if a column
            differs from ``schema``.
    """
    try:
        table = pq.read_table(path)
    except FileNotFoundError:
        raise ArtifactError(f"The {kind} {path} does not exist", remedy=f"run {stage} again") from None
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        raise ArtifactError(f"The {kind} {path} is not Parquet ({error})", remedy=f"run {stage} again") from None
    if isinstance(schema, pa.Schema):
        check_schema(path, table.schema, schema)
    metadata = table.schema.metadata or {}
    if _DESCRIPTION_KEY not in metadata:
        raise ArtifactError(
            f"The {kind} {path} has no description in its metadata", remedy=f"write it with evenface's {stage}"
        )
    try:
        description: dict[str, Any] = json.loads(metadata[_DESCRIPTION_KEY])
    except (ValueError, RecursionError) as error:
        raise ArtifactError(
            f"The description in the metadata of the {kind} {path} is not JSON ({error})", remedy=f"run {stage} again"
        ) from None
    if not isinstance(schema, pa.Schema):
        schema = schema(description)
        check_schema(path, table.schema, schema)
    try:
        return table.select(schema.names).to_pandas(types_mapper=_compact_type), description
    except (pa.ArrowException, ValueError) as error:
        raise ArtifactError(f"The {kind} {path} has damaged values ({error})", remedy=f"run {stage} again") from None


def _compact_type(kind: pa.DataType) -> pd.ArrowDtype | None:
    """Keep a column of lists in Arrow's form: pandas' own makes an object per row."""
    return pd.ArrowDtype(kind) if pa.types.is_list(kind) else None


def check_schema(path: str | os.PathLike[str], actual: pa.Schema, expected: pa.Schema) -> None:
    """Check that a table has the expected columns.

    Raises:
        ArtifactError: If it does not; the message names the file, the column and what was expected.
    """
    try:
        names = actual.names
    except UnicodeDecodeError:
        raise ArtifactError(f"{path} has a column whose name is damaged", remedy="write it again") from None
    for column in expected:
        name, kind = column.name, column.type
        if name not in names:
            raise ArtifactError(f"{path} has no column '{name}' (expected {kind})", remedy="write it again")
        actual_kind = actual.field(name).type
        if actual_kind != kind:
            raise ArtifactError(f"{path}: column '{name}' is {actual_kind}, expected {kind}", remedy="write it again")
