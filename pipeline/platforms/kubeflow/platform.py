"""Kubeflow Pipelines: its terms for resources, and runs through its API."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from kfp import dsl, kubernetes

from components.errors import RequestError
from components.mlflow_server import CREDENTIALS, is_in_the_clear
from pipeline.platforms.checks import Check
from pipeline.platforms.kubeflow.client import KubeflowApi, UnavailableError, find_host, named, token_source
from pipeline.platforms.kubeflow.follow import follow
from pipeline.platforms.kubeflow.nodes import GPU_MODELS, GPU_NODE_LABELS
from pipeline.platforms.kubeflow.schedules import RecurringRuns
from pipeline.platforms.kubeflow.settings import KubeflowSettings
from pipeline.platforms.resources import ACCELERATORS, ResourcesSettings
from pipeline.platforms.settings import SharedSettings
from pipeline.platforms.submission import Show, Submission


@dataclass(frozen=True)
class KubeflowPlatform:
    """Kubeflow Pipelines, see `pipeline.platforms.submission.Platform`."""

    resources: ResourcesSettings
    shared: SharedSettings
    settings: KubeflowSettings
    mlflow_uris: Mapping[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """Return a sentence for each setting that Kubeflow can't promise.

        Raises:
            RequestError: If credentials would be sent to an MLflow server in the clear.
        """
        notes = self._mlflow_notes()
        models = {stage.accelerator for _, stage in self.resources.stages() if stage.accelerator}
        if self.settings.gpu_nodes == "any" and models:
            notes.append(
                f"platform.kubeflow.gpu_nodes is 'any', so a GPU may not be of the model {' or '.join(sorted(models))}."
            )
        spot = [name for name, stage in self.resources.stages() if stage.spot]
        if spot:
            again = (
                "and finished stages are reused"
                if self.shared.caching
                else "from its first stage on, since platform.caching is off"
            )
            notes.append(
                f"spot of {', '.join(spot)}: Kubeflow retries a stage that failed, not one whose pod vanished with its "
                f"node, which fails the run: submit it again, {again}."
            )
        if self.shared.image_pull_policy != "Always" and "@sha256:" not in self.shared.image:
            notes.append(
                f"The image {self.shared.image} is not pinned by its digest: a node that has an image under the tag "
                "keeps using it after the tag has moved."
            )
        return notes

    def _mlflow_notes(self) -> list[str]:
        secret = self.settings.mlflow_secret
        if secret is None and self.mlflow_uris:
            return [
                "platform.kubeflow.mlflow_secret is not set, so the stages show the MLflow server no credentials, and "
                "it has to do without."
            ]
        if secret is not None and not self.mlflow_uris:
            return [
                "platform.kubeflow.mlflow_secret is given to no stage: neither tracking.mlflow_uri nor "
                "promotion.registry names an MLflow server."
            ]
        clear = next(filter(is_in_the_clear, self.mlflow_uris.values()), None)
        if secret is not None and clear is not None:
            raise RequestError(
                f"The credentials in the secret {secret} would be sent to {clear} over plain HTTP",
                remedy="write https:// in the address",
            )
        return []

    def checks(self) -> list[Check]:
        """Return which GPUs are asked for, and whether the platform's API answers."""
        models = GPU_MODELS.get(self.settings.gpu_nodes, {name: name for name in ACCELERATORS})
        return [
            Check("Kubeflow machines", True, self.resources.gpus_in_words(models)),
            Check.attempt("Kubeflow API", lambda: f"answers, {len(self.schedules().states())} schedules"),
        ]

    def configure(self, task: dsl.PipelineTask, stage: str) -> None:
        """Give a task its stage's resources in Kubernetes' terms."""
        resources = self.resources.of(stage)
        cpu, memory = f"{resources.cpu:g}", f"{round(resources.memory_gb * 1000)}M"
        # A request below the limit lets a node promise more memory than it has, and then kill a stage.
        task.set_cpu_request(cpu).set_cpu_limit(cpu).set_memory_request(memory).set_memory_limit(memory)
        task.set_caching_options(self.shared.caching)
        for name, value in self.shared.environment(stage).items():
            task.set_env_variable(name, value)
        kubernetes.set_image_pull_policy(task, self.shared.image_pull_policy)
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
            self._add_gpus(task, resources.accelerator, resources.accelerator_count)
        if self.settings.mlflow_secret is not None and stage in self.mlflow_uris:
            # Optional: who has a token has no password.
            keys = {name: name for name in CREDENTIALS}
            kubernetes.use_secret_as_env(task, self.settings.mlflow_secret, keys, optional=True)
        if resources.spot:
            label = self.settings.spot_label
            kubernetes.add_node_selector(task, label, "true")
            kubernetes.add_toleration(task, key=label, operator="Equal", value="true", effect="NoSchedule")

    def _add_gpus(self, task: dsl.PipelineTask, model: str, count: int) -> None:
        task.set_accelerator_type(self.settings.gpu_resource).set_accelerator_limit(count)
        nodes = self.settings.gpu_nodes
        if nodes != "any":
            kubernetes.add_node_selector(task, GPU_NODE_LABELS[nodes], GPU_MODELS[nodes][model])
        if self.settings.gpu_taint:
            kubernetes.add_toleration(task, key=self.settings.gpu_taint, operator="Exists", effect="NoSchedule")

    def preview(self, submission: Submission) -> dict[str, Any]:
        """Return what `submit` would send, without secrets and without the network."""
        return {
            "host": find_host(self.settings) or "the cluster that KFP finds",
            "credentials": token_source(),
            "namespace": self.settings.namespace,
            "experiment": submission.experiment,
            "pipeline": self.settings.pipeline_name,
            "version": submission.version,
            "run": submission.run_name,
            "service_account": self.settings.service_account,
            "pipeline_root": submission.pipeline_root,
            "parameters": submission.parameters,
        }

    def submit(self, submission: Submission, show: Show, *, wait: bool) -> str:
        """Upload the version if it is new, start a run, and follow it if asked."""
        api = KubeflowApi(self.settings)
        run_id = self._start(api, submission)
        endpoint = os.environ.get("KF_PIPELINES_UI_ENDPOINT", api.host).rstrip("/")
        url = f"{endpoint}/#/runs/details/{run_id}"
        show(f"Pipeline    {self.settings.pipeline_name}, version {submission.version}")
        show(f"Run         {submission.run_name}")
        show(f"            {url}")
        if wait:
            try:
                follow(api, run_id, submission, url, show)
            except KeyboardInterrupt:
                show("No longer followed; the run continues, and can be terminated in the user interface.")
                raise
        return run_id

    def _start(self, api: KubeflowApi, submission: Submission) -> str:
        name, content = submission.run_name, api.prepare(submission)
        experiment = content["experiment_id"]
        before = {run.run_id for run in _runs_named(api, name, experiment)}
        try:
            run = api.call("starting the run", api.client.run_pipeline, job_name=name, **content)
        except UnavailableError:
            # It may have started before the connection broke. Two runs may have one name: only a new one is this one.
            run = next((run for run in _runs_named(api, name, experiment) if run.run_id not in before), None)
            if run is None:
                raise
        return str(run.run_id)

    def schedules(self) -> RecurringRuns:
        """Return the recurring runs that evenface made."""
        return RecurringRuns(self.settings)


def _runs_named(api: KubeflowApi, name: str, experiment: str) -> list[Any]:
    """Return the latest runs of a name."""
    query = {"experiment_id": experiment, "filter": named(name), "sort_by": "created_at desc"}
    return list(api.call("looking for the run", api.client.list_runs, **query).runs or [])
