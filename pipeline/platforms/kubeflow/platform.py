"""Kubeflow Pipelines: its words for resources, and runs through its API."""

import time
from typing import Any

from kfp import dsl, kubernetes

from pipeline.platforms.kubeflow.client import KubeflowApi, UnavailableError, find_host, named, token_source
from pipeline.platforms.kubeflow.schedules import RecurringRuns, cluster_cron
from pipeline.platforms.resources import ACCELERATORS, PlatformSettings, ResourcesSettings, StageResources
from pipeline.platforms.schedules import Schedule, ScheduleState
from pipeline.platforms.submission import Change, PlatformError, RunFailedError, Show, Submission

GPU_NODE_LABELS = {"gke": "cloud.google.com/gke-accelerator", "nvidia": "nvidia.com/gpu.product"}
"""Node label that names the GPU model, by `KubeflowSettings.gpu_nodes`."""

_ENDED_WELL = {"SUCCEEDED", "SKIPPED"}
_ENDED_BADLY = {"FAILED", "CANCELED"}
_PATIENCE_WHILE_FOLLOWING = 5


class KubeflowPlatform:
    """Kubeflow's part of `pipeline.platforms.submission.Platform`.

    Args:
        resources: Each stage's resources.
        platform: The platforms' settings.
    """

    def __init__(self, resources: ResourcesSettings, platform: PlatformSettings) -> None:
        self._resources = resources
        self._platform = platform
        self._settings = platform.kubeflow

    def check(self) -> list[str]:
        """Return a sentence for each setting that Kubeflow ignores or can't promise."""
        notes = []
        vertex = self._platform.vertex
        default = type(vertex)()
        ignored = [name for name in type(vertex).model_fields if getattr(vertex, name) != getattr(default, name)]
        if ignored:
            notes.append(f"Kubeflow ignores {', '.join(f'platform.vertex.{name}' for name in ignored)}.")
        models = {one.accelerator for _, one in self._resources.stages() if one.accelerator}
        if self._settings.gpu_nodes == "any" and models:
            notes.append(
                f"platform.kubeflow.gpu_nodes is 'any', so a GPU may be another model than {', '.join(sorted(models))}."
            )
        if self._platform.image_pull_policy != "Always" and "@sha256:" not in self._platform.image:
            notes.append(
                f"With the pull policy {self._platform.image_pull_policy} a node that has an image under the tag "
                "keeps it when the tag moves on: pin the image by its digest."
            )
        return notes

    def configure(self, task: dsl.PipelineTask, stage: str) -> None:
        """Give a task its stage's resources in Kubernetes' words."""
        resources = self._resources.of(stage)
        cpu, memory = f"{resources.cpu:g}", f"{round(resources.memory_gb * 1000)}M"
        # A request below the limit lets a node promise more memory than it has, and then kill a stage.
        task.set_cpu_request(cpu).set_cpu_limit(cpu).set_memory_request(memory).set_memory_limit(memory)
        task.set_caching_options(self._platform.caching)
        kubernetes.set_image_pull_policy(task, self._platform.image_pull_policy)
        if resources.retries:
            task.set_retry(
                resources.retries,
                backoff_duration=f"{resources.retry_backoff_seconds}s",
                backoff_factor=resources.retry_backoff_factor,
                backoff_max_duration=f"{resources.retry_window_seconds}s",
            )
        if resources.timeout_seconds:
            kubernetes.set_timeout(task, resources.timeout_seconds)
        if resources.accelerator:
            self._add_gpus(task, resources, resources.accelerator)
        if resources.spot:
            label = self._settings.spot_label
            kubernetes.add_node_selector(task, label, "true")
            kubernetes.add_toleration(task, key=label, operator="Equal", value="true", effect="NoSchedule")

    def _add_gpus(self, task: dsl.PipelineTask, resources: StageResources, accelerator: str) -> None:
        task.set_accelerator_type(self._settings.gpu_resource).set_accelerator_limit(resources.gpus)
        nodes = self._settings.gpu_nodes
        if nodes != "any":
            names = ACCELERATORS[accelerator]
            kubernetes.add_node_selector(task, GPU_NODE_LABELS[nodes], names.gke if nodes == "gke" else names.nvidia)
        if self._settings.gpu_taint:
            kubernetes.add_toleration(task, key=self._settings.gpu_taint, operator="Exists", effect="NoSchedule")

    def preview(self, submission: Submission) -> dict[str, Any]:
        """Return what `submit` would send, without secrets and without the network."""
        return {
            "host": find_host(self._settings) or "the cluster that KFP finds",
            "credentials": token_source(),
            "namespace": self._settings.namespace,
            "experiment": submission.experiment,
            "pipeline": self._settings.pipeline_name,
            "version": submission.version,
            "run": submission.run_name,
            "service_account": self._settings.service_account,
            "pipeline_root": submission.pipeline_root,
            "parameters": submission.parameters,
        }

    def submit(self, submission: Submission, show: Show, *, wait: bool) -> str:
        """Upload the version if it is new, start a run, and follow it if asked.

        Raises:
            RunFailedError: If a followed run does not succeed.
        """
        api = KubeflowApi(self._settings)
        run_id = self._start(api, submission)
        url = api.url(f"/#/runs/details/{run_id}")
        show(f"Pipeline    {self._settings.pipeline_name}, version {submission.version}")
        show(f"Run         {submission.run_name}")
        show(f"            {url}")
        if wait:
            self._follow(api, run_id, submission.run_name, url, show)
        return run_id

    def _start(self, api: KubeflowApi, submission: Submission) -> str:
        version = api.upload(submission)
        experiment = api.ensure_experiment(submission.experiment)
        try:
            run = api.call(
                "starting the run",
                lambda: api.client.run_pipeline(
                    experiment,
                    submission.run_name,
                    params=submission.parameters,
                    pipeline_id=version.pipeline_id,
                    version_id=version.version_id,
                    pipeline_root=submission.pipeline_root,
                    service_account=self._settings.service_account,
                ),
            )
        except UnavailableError:
            # It may have started before the line broke: only its name, unique enough, can tell.
            found = api.call(
                "looking for the run",
                lambda: api.client.list_runs(experiment_id=experiment, filter=named(submission.run_name)),
            ).runs
            if not found:
                raise
            run = found[0]
        return str(run.run_id)

    def _follow(self, api: KubeflowApi, run_id: str, name: str, url: str, show: Show) -> None:
        """Show every change of state until the run has ended."""
        seen: dict[str, str] = {}
        failures = 0
        while True:
            try:
                run = api.call("following the run", lambda: api.client.get_run(run_id))
            except UnavailableError as error:
                failures += 1
                if failures == _PATIENCE_WHILE_FOLLOWING:
                    raise PlatformError(
                        "Lost sight of the run, which goes on", remedy=f"see {url} ({error})"
                    ) from error
                time.sleep(self._settings.poll_seconds)
                continue
            failures = 0
            for what, state in [*_task_states(run), (name, run.state)]:
                if seen.get(what) != state:
                    seen[what] = state
                    show(f"{what}: {str(state).lower()}")
            if run.state in _ENDED_WELL:
                return
            if run.state in _ENDED_BADLY:
                raise RunFailedError(_why(run, name, url))
            time.sleep(self._settings.poll_seconds)

    def apply_schedule(self, schedule: Schedule, submission: Submission, show: Show) -> Change:
        """Make the recurring run of this name be this one; a run in flight is left alone."""
        cluster_cron(schedule, self._settings)
        return RecurringRuns(KubeflowApi(self._settings)).apply(schedule, submission, show)

    def list_schedules(self) -> list[ScheduleState]:
        """Return the recurring runs that evenface made, by name."""
        return RecurringRuns(KubeflowApi(self._settings)).states()

    def pause_schedule(self, name: str) -> None:
        """Stop a schedule from starting runs."""
        RecurringRuns(KubeflowApi(self._settings)).pause(name)

    def resume_schedule(self, name: str) -> None:
        """Let a paused schedule start runs again."""
        RecurringRuns(KubeflowApi(self._settings)).resume(name)

    def delete_schedule(self, name: str) -> None:
        """Remove a schedule; where a run is in flight, pause it instead and say so."""
        RecurringRuns(KubeflowApi(self._settings)).delete(name)


def _tasks(run: Any) -> list[Any]:
    """Return the details of a run's stages, without KFP's own drivers and groups."""
    details = run.run_details.task_details if run.run_details else None
    return [
        task
        for task in details or []
        if task.display_name and task.display_name not in {"root", "executor"} and "driver" not in task.display_name
    ]


def _task_states(run: Any) -> list[tuple[str, str]]:
    return [(f"  {task.display_name}", task.state) for task in _tasks(run) if task.state]


def _why(run: Any, name: str, url: str) -> str:
    if run.state == "CANCELED":
        return f"The run {name} was cancelled: submit it again to start over, see {url}."
    failed = [task for task in _tasks(run) if task.state == "FAILED"]
    error = next((task.error.message for task in failed if task.error and task.error.message), "")
    stage = f"Stage {failed[0].display_name} of the run {name}" if failed else f"The run {name}"
    return f"{stage} failed{f' ({error})' if error else ''}: read its log at {url}."
