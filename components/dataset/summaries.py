"""What the data stages counted, for the comparison and its report."""

from typing import Any

from components.contract import Contract

Distributions = dict[str, dict[str, int]]
"""Faces of each class of each classified output, and of each ``age`` in years."""


class Step(Contract):
    """One step of preprocess."""

    step: str
    faces: int
    """Faces that are left after it; for the first, files."""
    removed: int
    """Files or faces that it removed."""
    why: str
    """What those have in common."""


class Correlation(Contract):
    """Pearson's correlations of the labels."""

    columns: tuple[str, ...]
    """The labels, in the order of the rows and columns."""
    matrix: tuple[tuple[float | None, ...], ...]
    """A row for each label; None where a label does not vary."""


class PreprocessSummary(Contract):
    """What preprocess counted."""

    fingerprint: str
    """Identity of the data set."""
    files: int
    """Files in the source."""
    faces: int
    """Faces in the manifest."""
    faults: int
    """Files that were rejected because they are faulty themselves."""
    rejected: int
    """All files that are not in the manifest."""
    steps: tuple[Step, ...]
    """From the files to the manifest, step by step."""
    rejects: dict[str, int]
    """Rejected files by reason, the most frequent first."""
    before: Distributions
    """The readable faces."""
    after: Distributions
    """The faces in the manifest."""
    correlation: Correlation
    """Of the labels in the manifest."""

    @property
    def facts(self) -> dict[str, Any]:
        """The counts that a user interface shows beside the manifest."""
        return self.model_dump(include={"fingerprint", "files", "faces", "faults", "rejected"})


class CellCount(Contract):
    """One gender × ethnicity × age-bin cell."""

    cell: str
    faces: int
    drawable: int
    """Faces that might be drawn for the test set."""
    test: int
    pool: int


class TestSetSummary(Contract):
    """What build_test_set counted."""

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
