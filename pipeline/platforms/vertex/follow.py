"""Following a Vertex AI run to its end."""

import time
from collections import Counter
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from google.cloud.aiplatform_v1 import PipelineJob, PipelineState, PipelineTaskDetail

from pipeline.platforms.submission import RunFailedError, Show
from pipeline.platforms.vertex.client import VertexClient

_FAILED = (
    PipelineState.PIPELINE_STATE_FAILED,
    PipelineState.PIPELINE_STATE_CANCELLED,
    PipelineState.PIPELINE_STATE_PAUSED,
)
_WORDS = {
    PipelineTaskDetail.State.PENDING: "waiting",
    PipelineTaskDetail.State.RUNNING: "running",
    PipelineTaskDetail.State.SUCCEEDED: "done",
    PipelineTaskDetail.State.CANCEL_PENDING: "being cancelled",
    PipelineTaskDetail.State.CANCELLING: "being cancelled",
    PipelineTaskDetail.State.CANCELLED: "cancelled",
    PipelineTaskDetail.State.FAILED: "failed",
    PipelineTaskDetail.State.SKIPPED: "reused from an earlier run",
    PipelineTaskDetail.State.NOT_TRIGGERED: "not started",
}


def follow(client: VertexClient, name: str, titles: dict[str, str], show: Show) -> None:
    """Watch a run until it ends, and show each change.

    Raises:
        RunFailedError: If the run failed or was cancelled, naming the stage and its error.
        PlatformError: If Vertex AI no longer answers; the run continues.
    """
    started = time.monotonic()
    shown: dict[str, str] = {}
    while True:
        job = client.call("look at the run", client.pipelines.get_pipeline_job, name=name)
        for title, progress in _progress(job.job_detail.task_details, titles).items():
            if shown.get(title) != progress:
                shown[title] = progress
                show(f"{timedelta(seconds=round(time.monotonic() - started))}  {title}: {progress}")
        if job.state == PipelineState.PIPELINE_STATE_SUCCEEDED:
            return
        if job.state in _FAILED:
            raise _failure(job, titles)
        time.sleep(client.settings.poll_seconds)


def _progress(details: Iterable[PipelineTaskDetail], titles: dict[str, str]) -> dict[str, str]:
    """Return one phrase for each stage; a stage of a loop has several tasks."""
    stages: dict[str, Counter[str]] = {}
    for detail in details:
        if detail.task_name in titles and detail.state in _WORDS:
            stages.setdefault(titles[detail.task_name], Counter())[_WORDS[detail.state]] += 1
    return {title: _phrase(words) for title, words in stages.items()}


def _phrase(words: Counter[str]) -> str:
    if words.total() == 1:
        return next(iter(words))
    return ", ".join(f"{count} {word}" for word, count in sorted(words.items()))


def _failure(job: Any, titles: dict[str, str]) -> RunFailedError:
    run = f"The run {PipelineState(job.state).name.removeprefix('PIPELINE_STATE_').lower()}"
    for detail in job.job_detail.task_details:
        if detail.state == PipelineTaskDetail.State.FAILED and detail.task_name in titles:
            stage = f"{run} at stage {detail.task_name} ({titles[detail.task_name]})"
            return RunFailedError.quoting(stage, _one_line(detail.error.message) or "no cause given")
    if cause := _one_line(job.error.message):
        return RunFailedError.quoting(run, cause)
    return RunFailedError(f"{run} before any stage failed", remedy="see its page in the console")


def _one_line(message: str) -> str:
    return " ".join(message.split()).rstrip(".")


def console_page(job: PipelineJob) -> str:
    """Return the address of a run's page in the Google Cloud console."""
    _, project, _, location, _, identifier = job.name.split("/")
    return (
        f"https://console.cloud.google.com/vertex-ai/locations/{location}/pipelines/runs/{identifier}?project={project}"
    )
