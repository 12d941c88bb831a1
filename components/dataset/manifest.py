"""The manifest: one row per face, passed between the stages as Parquet without image bytes."""

import os
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from components.contract import Contract
from components.dataset.labels import Labels
from components.dataset.outputs import CLASSIFIED
from components.dataset.tables import read_described, write_described
from components.errors import DataError

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
        *(pa.field(output, pa.int8(), nullable=False) for output in CLASSIFIED),
        pa.field("age_bin", pa.int8(), nullable=False),
    ]
)
"""Columns of a manifest.

``image_id`` identifies a face in every later artifact; ``shard`` and ``row`` say where its bytes are;
copies of one photograph, byte by byte or nearly, share a ``duplicate_group``; ``age`` is in years and ``log_age`` its
natural logarithm; ``gender``, ``ethnicity`` and ``age_bin`` index the names in :class:`Labels`. Where an output is
switched off, its columns say the same of every face: age 1, or code 0.
"""


class _Description(Contract):
    """What a manifest says of itself."""

    labels: Labels
    fingerprint: str
    made_by: dict[str, Any]


@dataclass(frozen=True)
class Manifest:
    """Faces with their labels, and what is needed to understand them.

    Attributes:
        faces: One row per face, the columns of :data:`SCHEMA`.
        labels: Names of the classes and of the age bins.
        fingerprint: Identity of the data set: equal data and settings give the same value.
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

    def cells(self) -> npt.NDArray[np.int64]:
        """Return the gender × ethnicity × age-bin cell of each face, shape ``[faces]``, below ``labels.cell_count``."""
        return self.labels.cells(self.faces)

    def cell_counts(self) -> npt.NDArray[np.int64]:
        """Return the number of faces in each cell, shape ``[cells]``."""
        return np.bincount(self.cells(), minlength=self.labels.cell_count)

    def require_every_class(self, predicate: str, remedy: str) -> None:
        """Check that every class has a face, since nothing can be learnt about a class without faces.

        Args:
            predicate: End of the sentence ``No face of …``.
            remedy: What the user can do about it.

        Raises:
            DataError: If a class has none; the message names every such class.
        """
        absent: list[str] = []
        for output in self.labels.classified:
            names = self.labels.names(output)
            counts = np.bincount(self.faces[output], minlength=len(names))
            absent += [name for name, count in zip(names, counts, strict=True) if count == 0]
        if absent:
            raise DataError(f"No face of {' or '.join(absent)} {predicate}", remedy=remedy)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the manifest as one Parquet file, atomically."""
        about = {"labels": self.labels.to_dict(), "fingerprint": self.fingerprint, "made_by": self.made_by}
        write_described(path, self.faces, SCHEMA, about)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Manifest":
        """Read a manifest and check its schema.

        Raises:
            ArtifactError: If the file is missing, is not a manifest, or a column differs from :data:`SCHEMA`.
        """
        faces, about = read_described(path, SCHEMA, "manifest", "preprocess")
        described = _Description.parse(about, path)
        return cls(faces, described.labels, described.fingerprint, described.made_by)
