"""What the data stages counted, for the comparison and its report."""

import os
from typing import Any, Self

from pydantic import BaseModel, ConfigDict, ValidationError

from components.errors import ArtifactError
from components.files import read_json, write_json

Distributions = dict[str, dict[str, int]]
"""Faces of each class of each classified output, and of each ``age`` in years."""


class _Counts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _Summary(_Counts):
    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the summary as JSON, atomically."""
        write_json(path, self.model_dump(mode="json"))

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read what :meth:`write` wrote.

        Raises:
            ArtifactError: If the file is missing, is not JSON or holds something else.
        """
        try:
            return cls.model_validate(read_json(path))
        except ValidationError as error:
            where = ".".join(map(str, error.errors()[0]["loc"]))
            raise ArtifactError(
                f"{path} is no {cls.__name__} ({where}: {error.errors()[0]['msg']})",
                remedy="run the stage that writes it again",
            ) from None


class Step(_Counts):
    """One step of preprocess.

    Attributes:
        step: Its name.
        faces: Faces that are left after it; for the first, files.
        removed: Files or faces that it removed.
        why: What those have in common.
    """

    step: str
    faces: int
    removed: int
    why: str


class Correlation(_Counts):
    """Pearson's correlations of the labels.

    Attributes:
        columns: The labels, in the order of the rows and columns.
        matrix: A row for each label; None where a label does not vary.
    """

    columns: tuple[str, ...]
    matrix: tuple[tuple[float | None, ...], ...]


class PreprocessSummary(_Summary):
    """What preprocess counted.

    Attributes:
        fingerprint: Identity of the data set.
        files: Files in the source.
        faces: Faces in the manifest.
        faults: Files that were rejected because they are faulty themselves.
        rejected: All files that are not in the manifest.
        steps: From the files to the manifest, step by step.
        rejects: Rejected files by reason, the most frequent first.
        before: The readable faces.
        after: The faces in the manifest.
        correlation: Of the labels in the manifest.
    """

    fingerprint: str
    files: int
    faces: int
    faults: int
    rejected: int
    steps: tuple[Step, ...]
    rejects: dict[str, int]
    before: Distributions
    after: Distributions
    correlation: Correlation

    @property
    def facts(self) -> dict[str, Any]:
        """The counts that a user interface shows beside the manifest."""
        return self.model_dump(include={"fingerprint", "files", "faces", "faults", "rejected"})


class CellCount(_Counts):
    """One gender × ethnicity × age-bin cell.

    Attributes:
        cell: Its name.
        faces: Its faces.
        drawable: Those of them that might be drawn for the test set.
        test: Those in the test set.
        pool: Those in the pool.
    """

    cell: str
    faces: int
    drawable: int
    test: int
    pool: int


class TestSetSummary(_Summary):
    """What build_test_set counted.

    Attributes:
        test: Faces in the test set.
        pool: Faces in the pool.
        cells: Number of cells.
        shortfall: Number of cells with fewer test faces than were asked for.
        faces_per_cell: Test faces that were asked for in each cell.
        by_cell: Every cell.
        shortfalls: The cells that are short.
    """

    __test__ = False  # Its name starts like that of a test class.

    test: int
    pool: int
    cells: int
    shortfall: int
    faces_per_cell: int
    by_cell: tuple[CellCount, ...]
    shortfalls: tuple[CellCount, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """The counts that a user interface shows beside the test set."""
        return self.model_dump(include={"test", "pool", "cells", "shortfall"})
