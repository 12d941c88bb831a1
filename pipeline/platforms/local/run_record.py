"""``run.json``: how a run in a folder went, written whether it ended well or not."""

import resource
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Literal

from components.compare.contract import Comparison
from components.contract import Contract
from pipeline.platforms.local.interruption import Interrupted
from pipeline.platforms.local.run_folder import RunFolder


class StageTiming(Contract):
    """One task of a stage."""

    stage: str
    outcome: Literal["done", "failed", "reused"]
    seconds: float
    """Wall-clock time; 0 where an earlier run's result was reused."""


class Request(Contract):
    """What was asked for."""

    source: str
    """As the user wrote it."""
    preset: str
    config: str | None
    overrides: tuple[str, ...]
    """Values of ``--set``."""
    runner: str


class RunRecord(Contract):
    """How a run went. One that is ``running`` while nobody holds the folder's lock was killed."""

    version: Literal[1] = 1
    id: str
    request: Request
    started: datetime
    ended: datetime | None = None
    outcome: Literal["running", "done", "failed", "interrupted"] = "running"
    cause: str | None = None
    """Why it failed, in a sentence."""
    fingerprint: str
    """Identity of the source's content when the run began."""
    standing: str | None = None
    recommended: str | None = None
    stages: tuple[StageTiming, ...] = ()
    peak_memory_bytes: int | None = None
    """Of the largest of its processes; None where stages run in containers."""


class Recording:
    """What a run has to tell so far.

    Attributes:
        stages: The tasks that have ended.
        comparison: What it found; None until it has.
    """

    def __init__(self) -> None:
        self.stages: list[StageTiming] = []
        self.comparison: Comparison | None = None


@contextmanager
def recorded(folder: RunFolder, request: Request, fingerprint: str) -> Iterator[Recording]:
    """Write the folder's record as the block begins, and again as it ends, however it does.

    Args:
        folder: A run folder whose lock this process holds.
        request: What was asked for.
        fingerprint: Identity of the source's content.
    """
    start = RunRecord(id=uuid.uuid4().hex[:12], request=request, started=datetime.now(UTC), fingerprint=fingerprint)
    start.write(folder.record)
    recording = Recording()
    outcome, cause = "failed", None
    try:
        yield recording
        outcome = "done"
    except Interrupted as stopped:
        outcome, cause = "interrupted", str(stopped)
        raise
    except Exception as error:
        cause = str(error)
        raise
    finally:
        recommended = recording.comparison.recommended if recording.comparison else None
        end = {
            "ended": datetime.now(UTC),
            "outcome": outcome,
            "cause": cause,
            "standing": recommended.standing if recommended else None,
            "recommended": recommended.variant if recommended else None,
            "stages": tuple(recording.stages),
            "peak_memory_bytes": None if request.runner == "docker" else _peak_memory_bytes(),
        }
        start.model_copy(update=end).write(folder.record)


def _peak_memory_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
