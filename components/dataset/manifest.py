"""The manifest: one row per face, passed between the stages as Parquet without image bytes."""

import json
import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from components.dataset.labels import Labels
from components.errors import ArtifactError
from components.files import atomic_path

SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("shard", pa.string(), nullable=False),
        pa.field("row", pa.int32(), nullable=False),
        pa.field("file_name", pa.string(), nullable=False),
        pa.field("content_hash", pa.string(), nullable=False),
        pa.field("duplicate_group", pa.int32(), nullable=False),
        pa.field("age", pa.int16(), nullable=False),
        pa.field("log_age", pa.float32(), nullable=False),
        pa.field("gender", pa.int8(), nullable=False),
        pa.field("ethnicity", pa.int8(), nullable=False),
        pa.field("age_bin", pa.int8(), nullable=False),
    ]
)
"""Columns of a manifest.

``image_id`` names a face in every later artifact; ``shard`` and ``row`` say where its bytes are;
faces with byte-identical files share a ``duplicate_group``; ``age`` is in years and ``log_age`` its
natural logarithm; ``gender``, ``ethnicity`` and ``age_bin`` index the names in :class:`Labels`.
"""

_METADATA_KEY = b"evenface"


@dataclass(frozen=True)
class Manifest:
    """Faces with their labels, and what is needed to understand them.

    Attributes:
        faces: One row per face, the columns of :data:`SCHEMA`.
        labels: Names of the classes and of the age bins.
        fingerprint: Identity of the data set: equal data and settings give an equal value.
        made_by: The stage that wrote the manifest and its settings section.
    """

    faces: pd.DataFrame
    labels: Labels
    fingerprint: str
    made_by: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.faces)

    def subset(self, rows: np.ndarray) -> "Manifest":
        """Return the manifest of some rows, in the manifest's own order.

        Args:
            rows: Positions, or a boolean mask of shape ``[faces]``.
        """
        positions = np.flatnonzero(rows) if rows.dtype == bool else np.sort(rows)
        return replace(self, faces=self.faces.iloc[positions].reset_index(drop=True))

    def cells(self) -> np.ndarray:
        """Return the gender × ethnicity × age-bin cell of each face, shape ``[faces]``, below ``labels.cell_count``."""
        shape = (len(self.labels.genders), len(self.labels.ethnicities), len(self.labels.age_bins))
        codes = [self.faces[name].to_numpy() for name in ("gender", "ethnicity", "age_bin")]
        return np.ravel_multi_index(codes, shape)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the manifest as one Parquet file, atomically."""
        table = pa.Table.from_pandas(self.faces, schema=SCHEMA, preserve_index=False)
        about = {"labels": self.labels.to_dict(), "fingerprint": self.fingerprint, "made_by": self.made_by}
        metadata = {_METADATA_KEY: json.dumps(about, sort_keys=True).encode()}
        with atomic_path(path) as draft:
            pq.write_table(table.replace_schema_metadata(metadata), draft, compression="zstd")

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Manifest":
        """Read a manifest and check its schema.

        Raises:
            ArtifactError: If the file is missing, is not a manifest, or a column differs from :data:`SCHEMA`.
        """
        try:
            table = pq.read_table(path)
        except FileNotFoundError:
            raise ArtifactError(f"The manifest {path} does not exist: run the stage that writes it again.") from None
        except (pa.ArrowInvalid, OSError) as error:
            raise ArtifactError(f"The manifest {path} is not Parquet ({error}): write it again.") from None
        check_schema(path, table.schema, SCHEMA)
        metadata = table.schema.metadata or {}
        if _METADATA_KEY not in metadata:
            raise ArtifactError(f"The manifest {path} carries no class names: write it with evenface's preprocess.")
        about = json.loads(metadata[_METADATA_KEY])
        faces = table.select(SCHEMA.names).to_pandas()
        return cls(faces, Labels.from_dict(about["labels"]), about["fingerprint"], about["made_by"])


def check_schema(path: str | os.PathLike[str], found: pa.Schema, expected: pa.Schema) -> None:
    """Check that a table has the expected columns.

    Raises:
        ArtifactError: Naming the file, the column and what was expected.
    """
    for column in expected:
        if column.name not in found.names:
            raise ArtifactError(f"{path} has no column '{column.name}' ({column.type} expected): write it again.")
        actual = found.field(column.name).type
        if actual != column.type:
            raise ArtifactError(f"{path}: column '{column.name}' is {actual}, {column.type} expected: write it again.")
