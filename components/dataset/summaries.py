"""What the data stages counted: typed JSON that the comparison passes on."""

from pydantic import BaseModel, ConfigDict


class _Facts(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Step(_Facts):
    step: str
    faces: int
    removed: int
    why: str


class Distributions(_Facts):
    gender: dict[str, int]
    ethnicity: dict[str, int]
    age: dict[str, int]


class Correlation(_Facts):
    columns: list[str]
    matrix: list[list[float | None]]


class PreprocessSummary(_Facts):
    fingerprint: str
    files: int
    faces: int
    faults: int
    rejected: int
    steps: list[Step]
    rejects: dict[str, int]
    before: Distributions
    after: Distributions
    correlation: Correlation


class CellCounts(_Facts):
    cell: str
    faces: int
    drawable: int
    test: int
    pool: int


class TestSetSummary(_Facts):
    __test__ = False

    test: int
    pool: int
    cells: int
    shortfall: int
    faces_per_cell: int
    by_cell: list[CellCounts]
    shortfalls: list[CellCounts]
