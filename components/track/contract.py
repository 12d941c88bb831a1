"""``tracking.json``: which MLflow runs a run has become."""

from pydantic import Field

from components.contract import Contract


class TrackedRun(Contract):
    """One trained network on the server."""

    variant: str
    seed: int
    run_id: str


class TrackingRecord(Contract):
    """What the server was told."""

    uri: str
    experiment: str
    run_id: str | None = None
    """The parent run; null where the server could not be told."""
    runs: list[TrackedRun] = Field(default_factory=list)
    problem: str | None = None
    """Why the server could not be told, and what to do about it."""
