"""Schedules on Kubeflow: recurring runs, which can't be edited and have no identity of their own.

A recurring run made here carries, in its description, the schedule's name and zone, a generation
and the specification of what was applied. The latest generation of a name is the schedule, and the
only one that is ever resumed; earlier ones are retiring: kept, paused, only while one of their runs
is in flight, because some versions of Kubeflow stop the runs of a recurring run that is deleted.
The latest one goes last, or an earlier one would be taken for the schedule.
"""

import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Self

from components.errors import RequestError
from pipeline.platforms.kubeflow.client import KubeflowApi
from pipeline.platforms.kubeflow.settings import KubeflowSettings
from pipeline.platforms.schedules import Schedule, ScheduleState
from pipeline.platforms.submission import Change, PlatformError, Show, Submission

_MARKER = "Made by `evenface schedule`, which reads this line: "
_RESUMING = "When resumed, it starts at once the latest of the runs that it missed, and no other."
_ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
_PAGE = 100


def cluster_cron(schedule: Schedule, settings: KubeflowSettings) -> str:
    """Return the schedule's expression as Kubeflow reads it: six fields, seconds first.

    Kubeflow has no time zone per schedule. Its controller reads all of them in one zone, and its
    parser (robfig/cron 1.2) takes no ``CRON_TZ=`` prefix.

    Raises:
        RequestError: If the schedule's zone is not the cluster's.
    """
    if schedule.timezone != settings.timezone:
        raise RequestError(
            f"Kubeflow reads every schedule in one time zone, here {settings.timezone}, and can't keep "
            f"{schedule.timezone}",
            remedy=(
                f"write the times in {settings.timezone}, or set platform.kubeflow.timezone "
                "to the cluster's cronScheduleTimezone if that differs"
            ),
        )
    return f"0 {schedule.cron}"


@dataclass(frozen=True)
class RecurringRun:
    """A recurring run that evenface made.

    Attributes:
        state: What users are told about it.
        generation: Number of this version among those applied under its name, from 1.
        experiment_id: Experiment of its runs.
    """

    state: ScheduleState
    generation: int
    experiment_id: str

    @classmethod
    def read(cls, answer: Any) -> Self | None:
        """Return a recurring run of the API, or None if evenface did not make it."""
        _, marker, text = (answer.description or "").partition(_MARKER)
        if not marker:
            return None
        try:
            applied = json.loads(text)
            schedule = Schedule(answer.display_name, applied["cron"], applied["timezone"], int(answer.max_concurrency))
            paused = answer.status == "DISABLED"
            note = _RESUMING if paused else ""
            state = ScheduleState(schedule, answer.recurring_run_id, paused, str(applied["specification"]), note)
            return cls(state, int(applied["generation"]), answer.experiment_id)
        except (ValueError, KeyError, TypeError, RequestError):
            # Somebody edited the line; the recurring run is theirs now.
            return None


@dataclass(frozen=True)
class RecurringRuns:
    """The recurring runs of one Kubeflow; the first request connects."""

    settings: KubeflowSettings

    @cached_property
    def _api(self) -> KubeflowApi:
        return KubeflowApi(self.settings)

    def apply(self, schedule: Schedule, submission: Submission, show: Show) -> Change:
        """Create the schedule, or replace the one of this name.

        The new recurring run is created before the old one is retired, so that a failure leaves
        a working one; applying again finishes what was interrupted.
        """
        settings = self.settings
        cron = cluster_cron(schedule, settings)
        specification = submission.specification(
            schedule, pipeline=settings.pipeline_name, service_account=settings.service_account
        )
        existing = self._of(schedule.name)
        current = existing[0] if existing else None
        if current is not None and current.state.specification == specification:
            self._retire(existing[1:], show)
            return Change.UNCHANGED
        applied = {
            "cron": schedule.cron,
            "timezone": schedule.timezone,
            "specification": specification,
            "generation": current.generation + 1 if current else 1,
        }
        self._api.call(
            f"creating the schedule {schedule.name}",
            self._api.client.create_recurring_run,
            job_name=schedule.name,
            description=_MARKER + json.dumps(applied),
            cron_expression=cron,
            # The API takes this number as text.
            max_concurrency=str(schedule.max_concurrency),
            no_catchup=True,
            enabled=current is None or not current.state.paused,
            **self._api.prepare(submission),
        )
        if current is None:
            return Change.CREATED
        self._retire(existing, show)
        if current.state.paused:
            show(f"{schedule.name} was paused and stays paused: `evenface schedule resume` starts it.")
        return Change.REPLACED

    def states(self) -> list[ScheduleState]:
        """Return the latest generation of every name; its note tells of earlier ones that are still there."""
        generations: dict[str, list[RecurringRun]] = {}
        for recurring in self._own(self._answers()):
            generations.setdefault(recurring.state.schedule.name, []).append(recurring)
        return [self._state(*generations[name]) for name in sorted(generations)]

    def _state(self, latest: RecurringRun, *earlier: RecurringRun) -> ScheduleState:
        if not earlier:
            return latest.state
        waiting = [run for recurring in earlier for run in self._in_flight(recurring)]
        until = f"its run {waiting[0]} ends" if waiting else "the next apply, resume or delete"
        note = f"An earlier version is retiring: it starts no runs and stays until {until}."
        return replace(latest.state, note=f"{latest.state.note} {note}".strip())

    def pause(self, name: str) -> None:
        """Disable every generation of a schedule."""
        for recurring in self._existing(name):
            self._disable(recurring)

    def resume(self, name: str) -> None:
        """Enable the latest generation of a schedule, and remove the earlier ones whose runs have ended."""
        latest, *earlier = self._existing(name)
        self._retire(earlier, lambda _: None)
        enable = self._api.client.enable_recurring_run
        self._api.call(f"resuming the schedule {name}", enable, latest.state.identifier)

    def delete(self, name: str) -> None:
        """Delete every generation of a schedule, if none has a run in flight.

        Raises:
            PlatformError: If a run is in flight: the schedule is only paused.
        """
        latest, *earlier = self._existing(name)
        self._disable(latest)
        kept = self._retire(earlier, lambda _: None) + self._in_flight(latest)
        if kept:
            raise PlatformError(
                f"The schedule {name} is paused and starts no more runs, but deleting it might stop a run in flight "
                f"({', '.join(kept)})",
                remedy="delete it again when no run is in flight",
            )
        self._delete(latest)

    def _retire(self, retired: list[RecurringRun], show: Show) -> list[str]:
        """Disable recurring runs, delete those without a run in flight, return the runs in flight."""
        all_in_flight = []
        for recurring in retired:
            self._disable(recurring)
            in_flight = self._in_flight(recurring)
            all_in_flight += in_flight
            if in_flight:
                show(
                    f"The run {in_flight[0]} of the earlier version continues; "
                    "that version is paused, and the next apply removes it."
                )
                continue
            self._delete(recurring)
        return all_in_flight

    def _delete(self, recurring: RecurringRun) -> None:
        """Delete a disabled recurring run: the cluster keeps it until it collects its garbage, and it must not fire."""
        self._api.call(
            "deleting a version of the schedule",
            self._api.client.recurring_runs.recurring_run_service_delete_recurring_run,
            recurring.state.identifier,
            propagation_policy="ORPHAN",
        )

    def _disable(self, recurring: RecurringRun) -> None:
        if not recurring.state.paused:
            disable = self._api.client.disable_recurring_run
            self._api.call("pausing the schedule", disable, recurring.state.identifier)

    def _in_flight(self, recurring: RecurringRun) -> list[str]:
        experiment, identifier = recurring.experiment_id, recurring.state.identifier
        runs = self._pages("runs", self._api.client.list_runs, experiment_id=experiment, sort_by="created_at desc")
        return [run.run_id for run in runs if run.recurring_run_id == identifier and run.state not in _ENDED]

    def _existing(self, name: str) -> list[RecurringRun]:
        generations = self._of(name)
        if not generations:
            known = ", ".join(state.schedule.name for state in self.states()) or "there is none"
            raise RequestError(f"Kubeflow has no schedule '{name}'", remedy=f"choose one that exists ({known})")
        return generations

    def _of(self, name: str) -> list[RecurringRun]:
        """Return every generation of a name, latest first."""
        answers = [answer for answer in self._answers() if answer.display_name == name]
        own = self._own(answers)
        if len(own) < len(answers):
            raise RequestError(
                f"A recurring run '{name}' exists that evenface did not make",
                remedy="choose another name, or delete that one",
            )
        return own

    def _own(self, answers: list[Any]) -> list[RecurringRun]:
        """Return those that evenface made, latest generation first."""
        read = (RecurringRun.read(answer) for answer in answers)
        return sorted((recurring for recurring in read if recurring is not None), key=lambda run: -run.generation)

    def _answers(self) -> list[Any]:
        list_page = self._api.client.list_recurring_runs
        return self._pages("recurring_runs", list_page, namespace=self._api.namespace)

    def _pages(self, name: str, list_page: Any, **query: Any) -> list[Any]:
        items: list[Any] = []
        query |= {"page_token": "", "page_size": _PAGE}
        while True:
            answer = self._api.call("listing schedules and runs", list_page, **query)
            items += getattr(answer, name) or []
            query["page_token"] = answer.next_page_token or ""
            if not query["page_token"]:
                return items
