"""What the data stages counted, for the comparison and its report."""

from typing import Any, Literal

from components.contract import Contract
from components.dataset.profile import Profile

Distributions = dict[str, dict[str, int]]
"""Number of faces by class for each classification output, and by ``age`` in years."""


class Step(Contract):
    """One step of preprocess."""

    step: str
    faces: int
    """Faces left after this step; for the first step, files."""
    removed: int
    """Files or faces that this step removed."""
    why: str
    """What those have in common."""


class Correlation(Contract):
    """Pearson's correlations of the labels."""

    columns: tuple[str, ...]
    """The labels, in the order of the rows and columns."""
    matrix: tuple[tuple[float | None, ...], ...]
    """A row for each label; None where a label does not vary."""


class CopyConflict(Contract):
    """A group of copies whose labels conflict: at most one of them can be right."""

    faces: int
    """Faces in the group."""
    files: tuple[str, ...]
    """Their file names, which state the labels; of a large group the first."""
    differ: tuple[str, ...]
    """The labels on which they differ: ``age`` (by more than the tolerance), ``gender``, ``ethnicity``."""


class Copies(Contract):
    """The faces in the manifest of which it holds another copy, byte by byte or nearly."""

    groups: int = 0
    """Photographs of which there are several copies."""
    faces: int = 0
    """Copies of those, all counted."""
    identical: int = 0
    """Of these faces, the ones whose bytes another one has, too."""
    conflicting: int = 0
    """Groups whose labels conflict."""
    conflicts: tuple[CopyConflict, ...] = ()
    """Groups whose labels conflict; of many the first, by file name."""


class PreprocessSummary(Contract):
    """What preprocess counted."""

    fingerprint: str
    """Identity of the data set."""
    synthetic: bool = False
    """Whether the faces were drawn, and are nobody's."""
    labels_from: Literal["file names", "table"] = "file names"
    """What states the labels: UTKFace's file names, or a table."""
    files: int
    """Files in the source."""
    faces: int
    """Faces in the manifest."""
    faults: int
    """Files that were rejected because they themselves are faulty."""
    rejected: int
    """All files that are not in the manifest."""
    steps: tuple[Step, ...]
    """From the files to the manifest, step by step."""
    rejects: dict[str, int]
    """Rejected files by reason, the most frequent first."""
    before: Distributions
    """Distributions over the readable faces."""
    after: Distributions
    """Distributions over the faces in the manifest."""
    correlation: Correlation
    """Correlations of the labels in the manifest."""
    copies: Copies = Copies()
    """Copies in the manifest, and where their labels conflict."""
    profile: Profile | None = None
    """What later data is compared with; null in summaries that were written before there was one."""

    @property
    def facts(self) -> dict[str, Any]:
        """The counts that a user interface shows beside the manifest."""
        return self.model_dump(include={"fingerprint", "files", "faces", "faults", "rejected"})


class CellCount(Contract):
    """One gender × ethnicity × age-bin cell."""

    cell: str
    faces: int
    drawable: int
    """Faces that may be drawn for the test set."""
    test: int
    pool: int


class GateFinding(Contract):
    """What one comparison of the data with the champion's found."""

    gate: str
    """Key of the gate in the settings section `gates`."""
    subject: str
    """What was compared: an output, a statistic, a rate."""
    passed: bool
    action: Literal["warn", "stop"]
    """What happens where it did not pass."""
    test: str | None = None
    """Two-sample test, where there was one."""
    p: float | None = None
    """Its p-value."""
    effect: float | None = None
    """How large the difference is: a population stability index, or a difference of shares."""
    limit: float | None = None
    """The effect from which on the gate does not pass."""
    reference: float | None = None
    """The champion's value: a share, or the mean of a statistic; null where one number does not say it."""
    value: float | None = None
    """The new data's value."""
    told: str
    """The finding as a sentence without its full stop."""


class GatesSummary(Contract):
    """How the data compares with that which the champion was made from."""

    reference: str | None
    """Identity of the champion's data; null without a champion, when nothing was compared."""
    findings: tuple[GateFinding, ...]
    notes: tuple[str, ...]
    """What could not be compared, and why."""

    @property
    def failed(self) -> tuple[GateFinding, ...]:
        """The findings that did not pass."""
        return tuple(finding for finding in self.findings if not finding.passed)


class TestSetSummary(Contract):
    """What build_test_set counted."""

    __test__ = False  # Keeps pytest from collecting it because of its name.

    test: int
    pool: int
    cells: int
    shortfall: int
    faces_per_cell: int
    training_reserve: int = 0
    """Faces of each cell that were left in the pool before the test set took any."""
    by_cell: tuple[CellCount, ...]
    shortfalls: tuple[CellCount, ...]

    @property
    def facts(self) -> dict[str, Any]:
        """The counts that a user interface shows beside the test set."""
        return self.model_dump(include={"test", "pool", "cells", "shortfall"})
