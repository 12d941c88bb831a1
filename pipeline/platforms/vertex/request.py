"""What is sent to Vertex AI to start a run, as plain JSON."""

import re
from typing import Any

import yaml

from components.errors import RequestError
from components.gs_uri import is_gs_uri
from pipeline.platforms.submission import Submission
from pipeline.platforms.vertex.settings import OWN_LABEL_PREFIX, VertexSettings

EXPERIMENT_LABEL = f"{OWN_LABEL_PREFIX}experiment"
"""Label of a run that names its experiment."""

_JOB_ID = re.compile(r"[a-z][-a-z0-9]{0,127}")


def task_titles(specification: dict[str, Any]) -> dict[str, str]:
    """Return the display name of each task that runs a container, by the task's name."""
    components = specification.get("components", {})
    titles = {}
    for component in (specification["root"], *components.values()):
        for name, task in component.get("dag", {}).get("tasks", {}).items():
            if "executorLabel" in components.get(task["componentRef"]["name"], {}):
                titles[name] = task.get("taskInfo", {}).get("name", name)
    return titles


def job_of(submission: Submission, settings: VertexSettings) -> dict[str, Any]:
    """Return the ``PipelineJob`` of a submission, as JSON.

    Raises:
        RequestError: If the artifacts have no bucket to go to.
    """
    root = submission.pipeline_root
    if root is None or not is_gs_uri(root):
        stated = "not set" if root is None else root
        raise RequestError(
            f"Vertex AI keeps artifacts in a bucket, but platform.pipeline_root is {stated}",
            remedy="set platform.pipeline_root to gs://BUCKET/FOLDER",
        )
    job: dict[str, Any] = {
        "displayName": submission.run_name,
        "labels": {**settings.labels, EXPERIMENT_LABEL: label_value(submission.experiment)},
        "runtimeConfig": {
            "gcsOutputDirectory": root,
            "parameterValues": submission.parameters,
            "failurePolicy": f"PIPELINE_FAILURE_POLICY_FAIL_{settings.failure_policy.upper()}",
        },
        "pipelineSpec": yaml.safe_load(submission.package.read_text(encoding="utf-8")),
    }
    optional = {"serviceAccount": settings.service_account, "network": settings.network}
    job |= {key: value for key, value in optional.items() if value is not None}
    if settings.encryption_key is not None:
        job["encryptionSpec"] = {"kmsKeyName": settings.encryption_key}
    return job


def job_id_of(run_name: str) -> str:
    """Return the identifier of a run's job: the run's name in the characters that Vertex AI allows.

    Raises:
        RequestError: If no identifier can be made from the name.
    """
    identifier = re.sub(r"[^a-z0-9]+", "-", run_name.lower()).strip("-")[:128]
    if not _JOB_ID.fullmatch(identifier):
        raise RequestError(f"'{run_name}' can't be the name of a run on Vertex AI", remedy="begin it with a letter")
    return identifier


def label_value(text: str) -> str:
    """Return a text in the characters that a label's value may have."""
    return re.sub(r"[^a-z0-9_-]+", "-", text.lower()).strip("-")[:63]
