"""Vertex AI Pipelines: the pipeline in its terms."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfp import dsl

from pipeline.platforms.checks import PATIENCE_SECONDS, Check
from pipeline.platforms.resources import ResourcesSettings
from pipeline.platforms.settings import SharedSettings
from pipeline.platforms.submission import Show, Submission
from pipeline.platforms.vertex.machines import ACCELERATOR_TYPES, check_machines
from pipeline.platforms.vertex.request import EXPERIMENT_LABEL, job_id_of, job_of, label_value, task_titles
from pipeline.platforms.vertex.settings import VertexSettings

if TYPE_CHECKING:
    from google.cloud.aiplatform_v1 import PipelineJob

    from pipeline.platforms.vertex.client import VertexClient
    from pipeline.platforms.vertex.schedules import VertexSchedules


@dataclass(frozen=True)
class VertexPlatform:
    """Vertex AI Pipelines, see `pipeline.platforms.submission.Platform`.

    Google's client costs seconds to import, so it is imported by the methods that reach the network.
    """

    resources: ResourcesSettings
    shared: SharedSettings
    settings: VertexSettings
    mlflow_uris: Mapping[str, str] = field(default_factory=dict)

    def notes(self) -> list[str]:
        """Return a sentence for each setting that Vertex AI ignores or translates.

        Raises:
            RequestError: If no machine of Vertex AI has a stage's CPUs, memory or accelerators.
        """
        sentences = check_machines(self.resources)
        stages = dict(self.resources.stages())
        # The defaults are limits for other platforms: who has not touched them need not hear of them.
        usual = ResourcesSettings()
        timed = [
            stage
            for stage, asked in stages.items()
            if asked.timeout_seconds not in (None, usual.of(stage).timeout_seconds)
        ]
        if timed:
            sentences.append(
                f"timeout_seconds of {', '.join(timed)} is ignored: Vertex AI has no time limit for a pipeline task."
            )
        spot = [stage for stage, asked in stages.items() if asked.spot]
        if spot:
            sentences.append(
                f"spot of {', '.join(spot)} is ignored: a KFP task on Vertex AI runs only on standard machines."
            )
        if self.shared.image_pull_policy != "IfNotPresent":
            sentences.append(
                f"platform.image_pull_policy {self.shared.image_pull_policy} is ignored: "
                "Vertex AI's machines are fresh and fetch the image for every task."
            )
        if "/" not in self.shared.image:
            sentences.append(
                f"platform.image {self.shared.image} names no registry: push it to Artifact Registry and pass its "
                "full name, or Vertex AI will not find it."
            )
        if self.mlflow_uris:
            sentences.append(
                "Vertex AI puts no secret into a stage's environment, so the stages show the MLflow server no "
                "credentials, and it has to do without."
            )
        if self.shared.experiment != SharedSettings().experiment:
            label = f"{EXPERIMENT_LABEL}={label_value(self.shared.experiment)}"
            sentences.append(f"platform.experiment becomes the label {label} of the run: Vertex AI groups by labels.")
        return sentences

    def checks(self) -> list[Check]:
        """Return which GPUs are asked for, and whether the platform's API answers."""
        return [
            Check.attempt("Vertex machines", self._machines_in_words),
            Check.attempt("Vertex API", self._answer_in_words),
        ]

    def _machines_in_words(self) -> str:
        check_machines(self.resources)
        return self.resources.gpus_in_words(ACCELERATOR_TYPES)

    def _answer_in_words(self) -> str:
        from pipeline.platforms.vertex.schedules import VertexSchedules

        once = self.settings.model_copy(update={"retry_seconds": 0.0, "request_seconds": PATIENCE_SECONDS})
        return f"answers, {len(VertexSchedules(once).states())} schedules"

    def configure(self, task: dsl.PipelineTask, stage: str) -> None:
        """Give a task its stage's limits, accelerator, retries and caching.

        Vertex AI reads only limits and chooses the machine by them. KFP's Kubernetes extension stays
        unused: it would add a second YAML document.
        """
        asked = self.resources.of(stage)
        task.set_cpu_limit(_quantity(asked.cpu, "", "m")).set_memory_limit(_quantity(asked.memory_gb, "G", "M"))
        if asked.accelerator is not None:
            task.set_accelerator_type(ACCELERATOR_TYPES[asked.accelerator])
            task.set_accelerator_limit(asked.accelerator_count)
        if asked.retries:
            task.set_retry(
                num_retries=asked.retries,
                backoff_duration=f"{asked.retry_backoff_seconds}s",
                backoff_factor=asked.retry_backoff_factor,
            )
        task.set_caching_options(self.shared.caching)
        for name, value in self.shared.environment(stage).items():
            task.set_env_variable(name, value)

    def preview(self, submission: Submission) -> dict[str, Any]:
        """Return what `submit` would send, with the pipeline's name and version in place of its YAML."""
        job = job_of(submission, self.settings)
        specification = job["pipelineSpec"]
        job["pipelineSpec"] = {
            "pipeline": specification["pipelineInfo"]["name"],
            "version": submission.version,
            "tasks": list(task_titles(specification).values()),
        }
        return {
            "endpoint": self.settings.endpoint,
            "project": self.settings.project or "(from Google's credential chain)",
            "location": self.settings.location,
            "pipelineJobId": job_id_of(submission.run_name),
            "pipelineJob": job,
        }

    def submit(self, submission: Submission, show: Show, *, wait: bool) -> str:
        """Start a run and return its resource name; with `wait`, follow it to its end.

        Raises:
            RequestError: If the request is invalid or a run of this name exists.
        """
        job = job_of(submission, self.settings)
        job_id = job_id_of(submission.run_name)

        from pipeline.platforms.vertex.client import connect
        from pipeline.platforms.vertex.follow import console_page, follow

        client = connect(self.settings)
        created = _create_job(client, job, job_id)
        show(f"Run         {created.name}")
        show(f"Console     {console_page(created)}")
        if wait:
            try:
                follow(client, created.name, task_titles(job["pipelineSpec"]), show)
            except KeyboardInterrupt:
                show("No longer followed; the run continues, and can be cancelled in the console.")
                raise
        return str(created.name)

    def schedules(self) -> "VertexSchedules":
        """Return the schedules that evenface made."""
        from pipeline.platforms.vertex.schedules import VertexSchedules

        return VertexSchedules(self.settings)


def _create_job(client: "VertexClient", job: dict[str, Any], job_id: str) -> "PipelineJob":
    from google.api_core.exceptions import AlreadyExists
    from google.cloud.aiplatform_v1 import PipelineJob

    parent, message = client.parent, PipelineJob.from_json(json.dumps(job))

    def attempt(again: bool) -> PipelineJob:
        create, get = client.pipelines.create_pipeline_job, client.pipelines.get_pipeline_job
        try:
            return client.send(create, parent=parent, pipeline_job=message, pipeline_job_id=job_id)
        except AlreadyExists:
            if not again:
                raise
            # The attempt whose answer was lost has made it.
            return client.send(get, name=f"{parent}/pipelineJobs/{job_id}")

    return client.repeat(f"start the run {job_id}", attempt)


def _quantity(amount: float, unit: str, thousandth: str) -> str:
    return f"{amount:g}{unit}" if amount == int(amount) else f"{round(amount * 1000)}{thousandth}"
