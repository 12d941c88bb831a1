"""Following a Kubeflow run to its end: one line for each real change, and a failure in the stage's own words."""

import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

import yaml

from pipeline.platforms.causes import cause_in
from pipeline.platforms.kubeflow.client import KubeflowApi, UnavailableError
from pipeline.platforms.kubeflow.workflow import Role, Step, Workflow, find_workflow, steps_of
from pipeline.platforms.submission import PlatformError, RunFailedError, Show, Submission

_ENDED_WELL = {"SUCCEEDED", "SKIPPED"}
_ENDED_BADLY = {"FAILED", "CANCELED"}
_PATIENCE = 5


def follow(api: KubeflowApi, run_id: str, submission: Submission, url: str, show: Show) -> None:
    """Watch a run until it ends, and show each change once.

    Raises:
        RunFailedError: If the run failed, naming the stage and its own sentence where its log can be read.
        PlatformError: If Kubeflow no longer answers; the run continues.
    """
    specification = next(yaml.safe_load_all(submission.package.read_text(encoding="utf-8")))
    progress = _Progress(submission.run_name, steps_of(specification, submission.parameters))
    failures = 0
    while True:
        try:
            run = api.call("following the run", api.client.get_run, run_id)
        except UnavailableError as error:
            failures += 1
            if failures == _PATIENCE:
                raise PlatformError(
                    f"Lost sight of the run, which continues ({error.problem})", remedy=f"see {url}"
                ) from error
            time.sleep(api.settings.poll_seconds)
            continue
        failures = 0
        for line in progress.changes(run):
            show(line)
        if run.state in _ENDED_WELL:
            return
        if run.state in _ENDED_BADLY:
            raise _failure(api, run, progress, url)
        time.sleep(api.settings.poll_seconds)


@dataclass
class _Progress:
    """What is known of a run's stages, look after look.

    Attributes:
        name: The run's name.
        steps: Every stage of every branch.
        workflow: The run's workflow, as soon as it can be told.
        stages: The latest state of each stage that has begun.
        attempts: How many attempts each stage has started, where the server tells.
        broken_drivers: Stages that Kubeflow could not start.
    """

    name: str
    steps: list[Step]
    workflow: Workflow | None = None
    stages: dict[Step, str] = field(default_factory=dict)
    attempts: dict[Step, int] = field(default_factory=dict)
    broken_drivers: list[Step] = field(default_factory=list)
    _shown: dict[str, str] = field(default_factory=dict)

    def changes(self, run: Any) -> list[str]:
        """Return a line for each stage, and for the run, that is not as it was at the last look."""
        nodes = list(run.run_details.task_details or []) if run.run_details else []
        self.workflow = self.workflow or find_workflow(nodes, self.steps)
        for node in nodes:
            self._take(node)
        order = {step: position for position, step in enumerate(self.steps)}
        lines = [(f"  {step.name}", self._phrase(step)) for step in sorted(self.stages, key=order.__getitem__)]
        # The state is absent for a while between pending and running.
        lines += [(self.name, run.state.lower())] if run.state else []
        changed = [(title, phrase) for title, phrase in lines if self._shown.get(title) != phrase]
        self._shown.update(changed)
        return [f"{title}: {phrase}" for title, phrase in changed]

    def _take(self, node: Any) -> None:
        read = self.workflow.read(node) if self.workflow else None
        step, role = read or (self._by_name(node), Role.STAGE)
        # The state of what was left out is absent.
        if step is None or not node.state:
            return
        if role is Role.STAGE:
            self.stages[step] = node.state
        elif role is Role.EXECUTOR and self.workflow:
            self.attempts[step] = self.workflow.attempts(step, node)
        elif role is Role.DRIVER and node.state == "FAILED" and step not in self.broken_drivers:
            self.broken_drivers.append(step)

    def _by_name(self, node: Any) -> Step | None:
        """Return the stage of a node outside all loops, whose name is its own, where nothing else tells."""
        named = [step for step in self.steps if step.task == node.display_name]
        return named[0] if len(named) == 1 else None

    def _phrase(self, step: Step) -> str:
        state, retry = self.stages[step].lower(), self.attempts.get(step, 1) - 1
        return f"{state}, retry {retry} of {step.retries}" if retry > 0 and state == "running" else state

    @property
    def failed(self) -> list[Step]:
        """The stages that failed, in the pipeline's order."""
        return [step for step in self.steps if self.stages.get(step) == "FAILED"]


def _failure(api: KubeflowApi, run: Any, progress: _Progress, url: str) -> RunFailedError:
    name = progress.name
    if run.state == "CANCELED":
        return RunFailedError(f"The run {name} was cancelled", remedy=f"submit it again to start over, see {url}")
    failed, look = progress.failed, f"read its log at {url}"
    if not failed and progress.broken_drivers:
        stage = progress.broken_drivers[0].name
        return RunFailedError(f"Kubeflow could not start the stage {stage} of the run {name}", remedy=look)
    if not failed:
        return RunFailedError(f"The run {name} failed", remedy=look)
    others = f", and {len(failed) - 1} more stages" if len(failed) > 2 else ", and 1 more stage" * (len(failed) - 1)
    problem = f"Stage {failed[0].name} of the run {name} failed{others}"
    cause = _cause(api, str(run.run_id), progress, failed[0])
    return RunFailedError.quoting(problem, cause) if cause else RunFailedError(problem, remedy=look)


def _cause(api: KubeflowApi, run_id: str, progress: _Progress, step: Step) -> str | None:
    """Return the sentence that a failed stage ended with, or None where its log can't be read."""
    if progress.workflow is None:
        return None
    pod = progress.workflow.pod_of(step, max(0, progress.attempts.get(step, 1) - 1))
    last: deque[str] = deque(filter(None, map(cause_in, api.log_lines(run_id, pod))), maxlen=1)
    return last[0] if last else None
