"""What every platform is asked to do, and what it answers."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, Self

from components.errors import EvenfaceError
from pipeline.platforms.checks import Check
from pipeline.platforms.schedules import Schedule, ScheduleState

if TYPE_CHECKING:
    from kfp import dsl  # The command line reads this module and must start fast.

Show = Callable[[str], None]
"""Called with each line that a user should see while something runs."""


class PlatformError(EvenfaceError):
    """The platform refused, or could not be reached; the message says which and what to do. Exit code 1."""


class RunFailedError(EvenfaceError):
    """A run that was followed did not succeed; the message names the stage. Exit code 1."""

    @classmethod
    def quoting(cls, problem: str, sentence: str) -> Self:
        """Return an error that quotes, remedy included, the sentence of something that failed in its own process."""
        return cls(problem, remedy=sentence.removesuffix("."))


class Change(StrEnum):
    """What applying a schedule did."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    REPLACED = "replaced"


@dataclass(frozen=True)
class Submission:
    """A compiled pipeline and what it is run with.

    Attributes:
        package: The compiled YAML.
        parameters: Values of pipeline parameters that differ from the compiled defaults: ``source`` and ``state``, of
            a single run ``source_fingerprint`` and, with a champion, ``reference``.
        run_name: Display name of the run, unique enough to find it again.
        experiment: Group of runs that it belongs to.
        pipeline_root: Where artifacts are stored; None for the platform's own default.
    """

    package: Path
    parameters: dict[str, Any]
    run_name: str
    experiment: str
    pipeline_root: str | None = None

    @property
    def version(self) -> str:
        """Identify the compiled pipeline by its content.

        KFP repeats the parameters in comments at the top, in an order that differs from process to process.
        """
        lines = self.package.read_bytes().splitlines(keepends=True)
        return hashlib.sha256(b"".join(line for line in lines if not line.startswith(b"#"))).hexdigest()[:12]

    def specification(self, schedule: Schedule, **details: Any) -> str:
        """Identify everything that a schedule does, so that applying it twice changes nothing.

        Args:
            schedule: When it fires.
            **details: The platform's own settings that its runs depend on, as JSON values.

        Returns:
            16 hexadecimal digits.
        """
        content = {
            "package": self.version,
            "parameters": self.parameters,
            "experiment": self.experiment,
            "pipeline_root": self.pipeline_root,
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "max_concurrency": schedule.max_concurrency,
            **details,
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


class Platform(Protocol):
    """What evenface asks of every platform.

    An instance holds the settings and reaches the network only in `submit`, in `checks`, and in the
    methods of its schedules. These raise `PlatformError` where the platform refuses and
    `RequestError` where the request is invalid.
    """

    def notes(self) -> list[str]:
        """Return a sentence for each setting that this platform ignores, translates or can't promise.

        Raises:
            RequestError: For settings that can't work together here.
        """

    def checks(self) -> list[Check]:
        """Return what can be checked about the platform, over the network too."""

    def configure(self, task: "dsl.PipelineTask", stage: str) -> None:
        """Give a task its stage's resources, retries, timeout and caching."""

    def preview(self, submission: Submission) -> dict[str, Any]:
        """Return what `submit` would send, without secrets and without the network."""

    def submit(self, submission: Submission, show: Show, *, wait: bool) -> str:
        """Start a run and return its identifier; with `wait`, follow it to its end.

        Raises:
            RunFailedError: If a followed run does not succeed.
        """

    def schedules(self) -> "PlatformSchedules":
        """Return the platform's schedules; the first request connects."""


class PlatformSchedules(Protocol):
    """The schedules that evenface made on one platform."""

    def apply(self, schedule: Schedule, submission: Submission, show: Show) -> Change:
        """Create the schedule, or change the one of this name to match; a run in flight is left alone."""

    def states(self) -> list[ScheduleState]:
        """Return every schedule, by name."""

    def pause(self, name: str) -> None:
        """Stop a schedule from starting runs; RequestError if there is none of this name."""

    def resume(self, name: str) -> None:
        """Let a paused schedule start runs again."""

    def delete(self, name: str) -> None:
        """Remove a schedule; a run in flight is left alone."""
