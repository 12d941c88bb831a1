"""Schedules on Vertex AI: at most one of each name, changed in place."""

import hashlib
import json
import re
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from google.api_core import exceptions
from google.cloud.aiplatform_v1 import Schedule as VertexSchedule

from components.errors import RequestError
from pipeline.platforms.schedules import Schedule, ScheduleState
from pipeline.platforms.submission import Change, PlatformError, Show, Submission
from pipeline.platforms.vertex.client import VertexClient, connect
from pipeline.platforms.vertex.request import job_of
from pipeline.platforms.vertex.settings import OWN_LABEL_PREFIX, VertexSettings

SCHEDULE_LABEL = f"{OWN_LABEL_PREFIX}schedule"
"""Label of every run of a schedule that names the schedule; evenface knows its own schedules by it."""

SPECIFICATION_LABEL = f"{OWN_LABEL_PREFIX}specification"
"""Label of every run of a schedule that identifies everything that the schedule does."""

_ZONE = re.compile(r"(?:CRON_)?TZ=(\S+)\s+")
_APPLIED = (
    "cron",
    "max_concurrent_run_count",
    "max_concurrent_active_run_count",
    "allow_queueing",
    "create_pipeline_job_request",
)


@dataclass(frozen=True)
class VertexSchedules:
    """The schedules of one project and location; the first request connects."""

    settings: VertexSettings

    @cached_property
    def _client(self) -> VertexClient:
        return connect(self.settings)

    def apply(self, schedule: Schedule, submission: Submission, show: Show) -> Change:
        """Create the schedule, or change the one of this name in place; runs in flight continue.

        A paused schedule stays paused.

        Raises:
            RequestError: If the name belongs to a schedule that evenface did not make, or to several.
            PlatformError: If Vertex AI refuses or can't be reached.
        """
        job = job_of(submission, self.settings)
        parent = self._client.parent
        change = self._apply(_schedule_of(schedule, job, parent, allow_queueing=self.settings.allow_queueing))
        show(f"Location    {parent}")
        return change

    def states(self) -> list[ScheduleState]:
        """Return the schedules that evenface made, by name."""
        schedules = self._list("create_pipeline_job_request:*")
        own = [schedule for schedule in schedules if SCHEDULE_LABEL in _labels(schedule)]
        return sorted(map(_state, own), key=lambda state: state.schedule.name)

    def pause(self, name: str) -> None:
        """Pause every schedule of a name that is not paused yet."""
        for schedule in self._existing(name):
            self._change_state("pause", schedule, VertexSchedule.State.PAUSED)

    def resume(self, name: str) -> None:
        """Resume every paused schedule of a name, without the runs that it missed."""
        for schedule in self._existing(name):
            self._change_state("resume", schedule, VertexSchedule.State.ACTIVE)

    def delete(self, name: str) -> None:
        """Delete every schedule of a name; runs in flight continue."""
        for schedule in self._existing(name):
            self._delete(schedule)

    def _apply(self, wanted: VertexSchedule) -> Change:
        name = wanted.display_name
        existing = self._named(name)
        if not existing:
            self._create(wanted)
            return Change.CREATED
        if len(existing) > 1:
            raise RequestError(
                f"Vertex AI has {len(existing)} schedules called {name}",
                remedy=f"delete them with evenface schedule delete {name}, then apply again",
            )
        current = existing[0]
        if current.state == VertexSchedule.State.COMPLETED:
            raise RequestError(
                f"The schedule {name} has ended and can't be changed",
                remedy=f"delete it with evenface schedule delete {name}, then apply again",
            )
        if _same(current, wanted):
            return Change.UNCHANGED
        wanted.name = current.name
        self._client.call(
            f"change the schedule {name}",
            self._client.schedules.update_schedule,
            schedule=wanted,
            update_mask={"paths": _APPLIED},
        )
        return Change.REPLACED

    def _create(self, wanted: VertexSchedule) -> None:
        client, name = self._client, wanted.display_name

        def attempt(again: bool) -> None:
            # An attempt whose answer was lost may have made the schedule, and nothing stops a second of the same name.
            if not (again and any(_same(current, wanted) for current in self._pages(_called(name)))):
                client.send(client.schedules.create_schedule, parent=client.parent, schedule=wanted)

        client.repeat(f"create the schedule {name}", attempt)

    def _change_state(self, verb: str, schedule: VertexSchedule, goal: VertexSchedule.State) -> None:
        client, name = self._client, schedule.name

        def attempt(_: bool) -> None:
            # Vertex AI refuses to pause a paused schedule, and an attempt whose answer was lost may have paused it.
            if client.send(client.schedules.get_schedule, name=name).state == goal:
                return
            if goal == VertexSchedule.State.PAUSED:
                client.send(client.schedules.pause_schedule, name=name)
            else:
                client.send(client.schedules.resume_schedule, name=name, catch_up=False)

        client.repeat(f"{verb} the schedule {schedule.display_name}", attempt)

    def _delete(self, schedule: VertexSchedule) -> None:
        client, seconds = self._client, self.settings.request_seconds

        def attempt(again: bool) -> None:
            try:
                operation = client.send(client.schedules.delete_schedule, name=schedule.name)
            except exceptions.NotFound:
                if again:  # An attempt whose answer was lost has deleted it.
                    return
                raise
            try:
                operation.result(timeout=seconds)
            except TimeoutError:
                raise PlatformError(
                    f"Vertex AI takes longer than {seconds:g} s to delete the schedule {schedule.display_name}",
                    remedy="check later with evenface schedule list that it is gone",
                ) from None

        client.repeat(f"delete the schedule {schedule.display_name}", attempt)

    def _existing(self, name: str) -> list[VertexSchedule]:
        schedules = self._named(name)
        if not schedules:
            raise RequestError(
                f"Vertex AI has no schedule called {name}", remedy="choose one from evenface schedule list"
            )
        return schedules

    def _named(self, name: str) -> list[VertexSchedule]:
        """Return the schedules of a name.

        Raises:
            RequestError: If one of them is not evenface's own.
        """
        schedules = self._list(_called(name))
        for schedule in schedules:
            if _labels(schedule).get(SCHEDULE_LABEL) != name:
                raise RequestError(
                    f"Vertex AI has a schedule called {name} that evenface did not make ({schedule.name})",
                    remedy="choose another name, or delete that schedule by hand",
                )
        return schedules

    def _list(self, condition: str) -> list[VertexSchedule]:
        return self._client.repeat("list the schedules", lambda _: self._pages(condition))

    def _pages(self, condition: str) -> list[VertexSchedule]:
        client = self._client
        return list(client.send(client.schedules.list_schedules, parent=client.parent, filter=condition))


def _called(name: str) -> str:
    return f'display_name="{name}"'


def _schedule_of(schedule: Schedule, job: dict[str, Any], parent: str, *, allow_queueing: bool) -> VertexSchedule:
    """Return a schedule in Vertex AI's terms."""
    message: dict[str, Any] = {
        "displayName": schedule.name,
        "cron": f"TZ={schedule.timezone} {schedule.cron}",
        # The first bounds the requests being sent, the second the runs being executed.
        "maxConcurrentRunCount": schedule.max_concurrency,
        "maxConcurrentActiveRunCount": schedule.max_concurrency,
        "allowQueueing": allow_queueing,
        "createPipelineJobRequest": {"parent": parent, "pipelineJob": {**job, "displayName": schedule.name}},
    }
    specification = hashlib.sha256(json.dumps(message, sort_keys=True).encode()).hexdigest()[:16]
    labels = {**job["labels"], SCHEDULE_LABEL: schedule.name, SPECIFICATION_LABEL: specification}
    message["createPipelineJobRequest"]["pipelineJob"]["labels"] = labels
    return VertexSchedule.from_json(json.dumps(message))


def _same(current: VertexSchedule, wanted: VertexSchedule) -> bool:
    """Tell whether a schedule does what is wanted; what Vertex AI adds to a run by itself does not count."""
    return _specification(current) == _specification(wanted) and all(
        getattr(current, field) == getattr(wanted, field) for field in _APPLIED[:-1]
    )


def _labels(schedule: VertexSchedule) -> dict[str, str]:
    return dict(schedule.create_pipeline_job_request.pipeline_job.labels)


def _specification(schedule: VertexSchedule) -> str:
    return _labels(schedule).get(SPECIFICATION_LABEL, "")


def _state(schedule: VertexSchedule) -> ScheduleState:
    zone = _ZONE.match(schedule.cron)
    cron = schedule.cron[zone.end() :] if zone else schedule.cron
    concurrency = schedule.max_concurrent_active_run_count or schedule.max_concurrent_run_count
    try:
        timing = Schedule(schedule.display_name, cron, zone[1] if zone else "UTC", concurrency)
    except RequestError as error:
        raise PlatformError(
            f"The schedule {schedule.display_name} was changed outside evenface ({str(error).rstrip('.')})",
            remedy="apply or delete it",
        ) from None
    return ScheduleState(
        schedule=timing,
        identifier=schedule.name,
        paused=schedule.state == VertexSchedule.State.PAUSED,
        specification=_specification(schedule),
        note=_note(schedule),
    )


def _note(schedule: VertexSchedule) -> str:
    started = schedule.started_run_count
    ended = ", has ended" if schedule.state == VertexSchedule.State.COMPLETED else ""
    return f"{started} run{'' if started == 1 else 's'} started{ended}"
