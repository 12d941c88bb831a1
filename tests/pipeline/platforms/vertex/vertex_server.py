"""A Vertex AI on the loopback: its pipelines, schedules and models over gRPC, with state, and faults on order.

Requests and answers are the messages of `google.cloud.aiplatform_v1`, on the services' own method
paths. What it can't show: the scheduler itself (`VertexServer.fire` starts a schedule's run in its
place) and machines (a run takes one step each time that it is looked at).
"""

import re
import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from graphlib import TopologicalSorter
from typing import Any, NoReturn
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import grpc
from croniter import croniter
from google.cloud import aiplatform_v1 as v1
from google.longrunning import operations_pb2
from google.protobuf import empty_pb2, json_format
from google.rpc import status_pb2

from tests.pipeline.cutting_relay import CuttingRelay

PARENT = "projects/faces/locations/europe-west4"
_PAGE = 2  # Small, so that every longer list takes several pages.
_ITERATIONS = 2
_LABEL = re.compile(r"[a-z][a-z0-9_-]{0,62}=[a-z0-9_-]{0,63}")
_UPDATABLE = {
    "display_name",
    "cron",
    "start_time",
    "end_time",
    "max_run_count",
    "max_concurrent_run_count",
    "max_concurrent_active_run_count",
    "allow_queueing",
    "create_pipeline_job_request",
}
_MODEL_ID = re.compile(r"[a-z_][a-z0-9_-]{0,62}")
_ALIAS = re.compile(r"[a-z][a-zA-Z0-9-]{0,126}[a-z0-9]")
_Task = v1.PipelineTaskDetail.State
_Run = v1.PipelineState


@dataclass
class Fault:
    """An error that a method gives instead of its answer.

    Attributes:
        method: Name of the method.
        code: The error, or None for a connection that is cut.
        message: Its text.
        times: How often.
        done_first: Whether the request is carried out before its answer is lost.
    """

    method: str
    code: grpc.StatusCode | None
    message: str = ""
    times: int = 1
    done_first: bool = False


class RefusalError(Exception):
    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code = code


def refuse(code: grpc.StatusCode, message: str) -> NoReturn:
    raise RefusalError(code, message)


def invalid(message: str) -> NoReturn:
    refuse(grpc.StatusCode.INVALID_ARGUMENT, message)


@dataclass
class VertexServer:
    """State of one project's location.

    Attributes:
        url: Where the client finds it.
        jobs: Pipeline jobs by resource name.
        schedules: Schedules by resource name.
        models: Versions by the model's resource name, the oldest first.
        operations: Unfinished operations by name.
        results: What an operation ends with, by its name; nothing for one that only ends.
        faults: Errors still to be given.
        failing_tasks: Message of each task that fails, by the task's name.
        stalled: Whether operations never end.
        calls: Method names, in order.
        metadata: Keys of the metadata that clients sent.
    """

    url: str = ""
    jobs: dict[str, v1.PipelineJob] = field(default_factory=dict)
    schedules: dict[str, v1.Schedule] = field(default_factory=dict)
    models: dict[str, list[v1.Model]] = field(default_factory=dict)
    operations: dict[str, operations_pb2.Operation] = field(default_factory=dict)
    results: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    failing_tasks: dict[str, str] = field(default_factory=dict)
    stalled: bool = False
    calls: list[str] = field(default_factory=list)
    metadata: set[str] = field(default_factory=set)
    cut: Callable[[], None] = lambda: None
    lock: threading.RLock = field(default_factory=threading.RLock)

    def order(self, method: str, code: grpc.StatusCode | None, message: str = "", **details: Any) -> None:
        """Let a method fail."""
        self.faults.append(Fault(method, code, message, **details))

    def fire(self, name: str) -> v1.PipelineJob:
        """Start a schedule's run, as if its time had come."""
        (schedule,) = (each for each in self.schedules.values() if each.display_name == name)
        assert schedule.state == v1.Schedule.State.ACTIVE
        request = v1.CreatePipelineJobRequest(schedule.create_pipeline_job_request)
        request.pipeline_job_id = f"{name}-{schedule.started_run_count}"
        job = self.create_pipeline_job(request)
        job.schedule_name = schedule.name
        schedule.started_run_count += 1
        return job

    # PipelineService

    def create_pipeline_job(self, request: v1.CreatePipelineJobRequest) -> v1.PipelineJob:
        check_parent(request.parent)
        check_job(request.pipeline_job)
        identifier = request.pipeline_job_id or f"run-{uuid.uuid4().hex[:12]}"
        if not re.fullmatch(r"[a-z][-a-z0-9]{0,127}", identifier):
            invalid(f"Invalid pipeline job ID {identifier}")
        name = f"{request.parent}/pipelineJobs/{identifier}"
        if name in self.jobs:
            refuse(grpc.StatusCode.ALREADY_EXISTS, f"Pipeline job {identifier} already exists")
        job = v1.PipelineJob(request.pipeline_job)
        job.name, job.state, job.create_time = name, _Run.PIPELINE_STATE_PENDING, datetime.now(UTC)
        self.jobs[name] = job
        return job

    def get_pipeline_job(self, request: v1.GetPipelineJobRequest) -> v1.PipelineJob:
        job = self.jobs.get(request.name) or refuse(grpc.StatusCode.NOT_FOUND, f"{request.name} was not found")
        self._advance(job)
        return job

    def list_pipeline_jobs(self, request: v1.ListPipelineJobsRequest) -> v1.ListPipelineJobsResponse:
        check_parent(request.parent)
        page, token = paged(list(self.jobs.values()), request.page_token)
        return v1.ListPipelineJobsResponse(pipeline_jobs=page, next_page_token=token)

    def cancel_pipeline_job(self, request: v1.CancelPipelineJobRequest) -> empty_pb2.Empty:
        job = self.jobs.get(request.name) or refuse(grpc.StatusCode.NOT_FOUND, f"{request.name} was not found")
        job.state = _Run.PIPELINE_STATE_CANCELLED
        return empty_pb2.Empty()

    def _advance(self, job: v1.PipelineJob) -> None:
        if job.state == _Run.PIPELINE_STATE_PENDING:
            job.state = _Run.PIPELINE_STATE_RUNNING
        if job.state != _Run.PIPELINE_STATE_RUNNING:
            return
        details = job.job_detail.task_details
        for detail in details:
            if detail.state == _Task.RUNNING and detail.task_name in self.failing_tasks:
                message = self.failing_tasks[detail.task_name]
                detail.state, detail.error = _Task.FAILED, status_pb2.Status(code=9, message=message)
                job.state, job.error = _Run.PIPELINE_STATE_FAILED, status_pb2.Status(code=9, message="A task failed")
                return
            if detail.state == _Task.RUNNING:
                detail.state = _Task.SUCCEEDED
            elif detail.state == _Task.PENDING:
                detail.state = _Task.RUNNING
                return
        begun = {detail.task_name for detail in details}
        for step in tasks_of(json_format.MessageToDict(v1.PipelineJob.pb(job).pipeline_spec)):
            if begun.isdisjoint(step):
                states = [_Task.RUNNING] + [_Task.PENDING] * (len(step) - 1)
                details.extend(
                    v1.PipelineTaskDetail(task_name=name, state=state) for name, state in zip(step, states, strict=True)
                )
                return
        job.state = _Run.PIPELINE_STATE_SUCCEEDED

    # ScheduleService

    def create_schedule(self, request: v1.CreateScheduleRequest) -> v1.Schedule:
        check_parent(request.parent)
        schedule = v1.Schedule(request.schedule)
        check_schedule(schedule, request.parent)
        schedule.name = f"{request.parent}/schedules/{len(self.schedules) + 1}{uuid.uuid4().int % 10**12}"
        schedule.state, schedule.create_time = v1.Schedule.State.ACTIVE, datetime.now(UTC)
        schedule.next_run_time = next_time(schedule.cron)
        # The service adds labels of its own to what it was given.
        schedule.create_pipeline_job_request.pipeline_job.labels["vertex-ai-pipelines-run-billing-id"] = "1"
        self.schedules[schedule.name] = schedule
        return schedule

    def get_schedule(self, request: v1.GetScheduleRequest) -> v1.Schedule:
        return self._schedule(request.name)

    def list_schedules(self, request: v1.ListSchedulesRequest) -> v1.ListSchedulesResponse:
        check_parent(request.parent)
        named = re.fullmatch(r'display_name="([^"]*)"', request.filter)
        if named is None and request.filter not in {"", "create_pipeline_job_request:*"}:
            invalid(f"Invalid filter {request.filter}")
        found = [each for each in self.schedules.values() if named is None or each.display_name == named[1]]
        page, token = paged(found, request.page_token)
        return v1.ListSchedulesResponse(schedules=page, next_page_token=token)

    def update_schedule(self, request: v1.UpdateScheduleRequest) -> v1.Schedule:
        current = self._schedule(request.schedule.name)
        paths = set(request.update_mask.paths)
        if not paths or paths - _UPDATABLE:
            invalid(f"Invalid update mask {sorted(paths)}")
        if current.state == v1.Schedule.State.COMPLETED:
            refuse(grpc.StatusCode.FAILED_PRECONDITION, "The schedule is completed")
        changed = v1.Schedule(current)
        for path in paths:
            setattr(changed, path, getattr(request.schedule, path))
        check_schedule(changed, PARENT)
        changed.update_time, changed.next_run_time = datetime.now(UTC), next_time(changed.cron)
        self.schedules[changed.name] = changed
        return changed

    def pause_schedule(self, request: v1.PauseScheduleRequest) -> empty_pb2.Empty:
        schedule = self._schedule(request.name)
        if schedule.state != v1.Schedule.State.ACTIVE:
            refuse(grpc.StatusCode.FAILED_PRECONDITION, "The schedule is not active")
        schedule.state = v1.Schedule.State.PAUSED
        return empty_pb2.Empty()

    def resume_schedule(self, request: v1.ResumeScheduleRequest) -> empty_pb2.Empty:
        schedule = self._schedule(request.name)
        if schedule.state != v1.Schedule.State.PAUSED:
            refuse(grpc.StatusCode.FAILED_PRECONDITION, "The schedule is not paused")
        schedule.state, schedule.catch_up = v1.Schedule.State.ACTIVE, request.catch_up
        return empty_pb2.Empty()

    def delete_schedule(self, request: v1.DeleteScheduleRequest) -> operations_pb2.Operation:
        del self.schedules[self._schedule(request.name).name]
        operation = operations_pb2.Operation(name=f"{request.name}/operations/{uuid.uuid4().int % 10**12}")
        self.operations[operation.name] = operation
        return operation

    def _schedule(self, name: str) -> v1.Schedule:
        return self.schedules.get(name) or refuse(grpc.StatusCode.NOT_FOUND, f"Schedule {name} was not found")

    # ModelService

    def upload_model(self, request: v1.UploadModelRequest) -> operations_pb2.Operation:
        check_parent(request.parent)
        model = v1.Model(request.model)
        check_model(model)
        if request.parent_model and request.model_id:
            invalid("parent_model and model_id exclude each other")
        name = request.parent_model or f"{request.parent}/models/{request.model_id or uuid.uuid4().int % 10**18}"
        if request.parent_model and name not in self.models:
            refuse(grpc.StatusCode.NOT_FOUND, f"The Model does not exist: {name}")
        if request.model_id and not _MODEL_ID.fullmatch(request.model_id):
            invalid(f"Invalid model_id {request.model_id}")
        if not request.parent_model and name in self.models:
            refuse(grpc.StatusCode.ALREADY_EXISTS, f"Model {name} already exists")
        versions = self.models.setdefault(name, [])
        model.name, model.version_id, model.version_create_time = name, str(len(versions) + 1), datetime.now(UTC)
        aliases, model.version_aliases = list(model.version_aliases), [] if versions else ["default"]
        versions.append(model)
        self._give_aliases(versions, model, aliases)
        operation = operations_pb2.Operation(name=f"{name}/operations/{uuid.uuid4().int % 10**12}")
        self.operations[operation.name] = operation
        result = v1.UploadModelResponse(model=name, model_version_id=model.version_id)
        self.results[operation.name] = v1.UploadModelResponse.pb(result)
        return operation

    def get_model(self, request: v1.GetModelRequest) -> v1.Model:
        name, _, wanted = request.name.partition("@")
        wanted = wanted or "default"
        for model in self.models.get(name, ()):
            if wanted == model.version_id or wanted in model.version_aliases:
                return model
        refuse(grpc.StatusCode.NOT_FOUND, f"The Model does not exist: {request.name}")

    def list_model_versions(self, request: v1.ListModelVersionsRequest) -> v1.ListModelVersionsResponse:
        if request.name not in self.models:
            refuse(grpc.StatusCode.NOT_FOUND, f"The Model does not exist: {request.name}")
        page, token = paged(self.models[request.name], request.page_token)
        return v1.ListModelVersionsResponse(models=page, next_page_token=token)

    def merge_version_aliases(self, request: v1.MergeVersionAliasesRequest) -> v1.Model:
        name, _, version = request.name.partition("@")
        if not version.isdecimal():
            invalid("name must include a version ID")
        model = self.get_model(v1.GetModelRequest(name=request.name))
        removed = [alias[1:] for alias in request.version_aliases if alias.startswith("-")]
        if "default" in removed:
            invalid("The default alias can't be removed")
        model.version_aliases = [alias for alias in model.version_aliases if alias not in removed]
        added = [alias for alias in request.version_aliases if not alias.startswith("-")]
        self._give_aliases(self.models[name], model, added)
        return model

    @staticmethod
    def _give_aliases(versions: list[v1.Model], model: v1.Model, aliases: list[str]) -> None:
        """An alias that another version has is taken from it."""
        for alias in aliases:
            if not _ALIAS.fullmatch(alias):
                invalid(f"Invalid alias {alias}")
            for other in versions:
                other.version_aliases = [each for each in other.version_aliases if each != alias]
            model.version_aliases = [*model.version_aliases, alias]

    # google.longrunning.Operations

    def get_operation(self, request: operations_pb2.GetOperationRequest) -> operations_pb2.Operation:
        operation = self.operations.get(request.name) or refuse(grpc.StatusCode.NOT_FOUND, "No such operation")
        if not self.stalled:
            operation.done = True
            operation.response.Pack(self.results.get(operation.name, empty_pb2.Empty()))
        return operation


def check_parent(parent: str) -> None:
    if parent != PARENT:
        refuse(grpc.StatusCode.PERMISSION_DENIED, f"Permission denied on resource {parent} (or it may not exist)")


def check_job(job: v1.PipelineJob) -> None:
    specification = json_format.MessageToDict(v1.PipelineJob.pb(job).pipeline_spec)
    if not specification.get("schemaVersion", "").startswith("2."):
        invalid("pipeline_spec.schema_version is missing")
    if not job.runtime_config.gcs_output_directory.startswith("gs://"):
        invalid("runtime_config.gcs_output_directory must be a Cloud Storage URI")
    known = specification["root"].get("inputDefinitions", {}).get("parameters", {})
    unknown = set(job.runtime_config.parameter_values) - set(known)
    if unknown:
        invalid(f"Unknown runtime parameters {sorted(unknown)}")
    for key, value in job.labels.items():
        if not _LABEL.fullmatch(f"{key}={value}"):
            invalid(f"Invalid label {key}={value}")
    for executor in specification["deploymentSpec"]["executors"].values():
        accelerator = executor["container"].get("resources", {}).get("accelerator", {})
        if accelerator and accelerator["type"] not in v1.AcceleratorType.__members__:
            invalid(f"Unknown accelerator type {accelerator['type']}")


def check_model(model: v1.Model) -> None:
    if not 1 <= len(model.display_name) <= 128:
        invalid("display_name must have 1 to 128 characters")
    if not model.artifact_uri.startswith("gs://"):
        invalid("artifact_uri must be a Cloud Storage URI")
    if not model.container_spec.image_uri:
        invalid("container_spec.image_uri is required")
    for key, value in model.labels.items():
        if not _LABEL.fullmatch(f"{key}={value}"):
            invalid(f"Invalid label {key}={value}")


def check_schedule(schedule: v1.Schedule, parent: str) -> None:
    if not 1 <= len(schedule.display_name) <= 128:
        invalid("display_name must have 1 to 128 characters")
    if schedule.max_concurrent_run_count < 1:
        invalid("max_concurrent_run_count must be positive")
    request = schedule.create_pipeline_job_request
    if request.parent != parent or request.pipeline_job_id:
        invalid("create_pipeline_job_request must have the schedule's parent and no job ID")
    check_job(request.pipeline_job)
    next_time(schedule.cron)


def next_time(text: str) -> datetime:
    prefix = re.match(r"(?:CRON_)?TZ=(\S+) ", text)
    cron = text[prefix.end() :] if prefix else text
    try:
        zone = ZoneInfo(prefix[1]) if prefix else UTC
    except ZoneInfoNotFoundError:
        invalid(f"Unknown time zone in {text}")
    if not croniter.is_valid(cron):
        invalid(f"Invalid cron {text}")
    return croniter(cron, datetime.now(zone), ret_type=datetime).get_next(datetime).astimezone(UTC)


def tasks_of(specification: dict[str, Any]) -> list[list[str]]:
    """Return the run's tasks in the order that they need each other, those of one loop's step together."""

    def steps(component: dict[str, Any], iterations: int) -> Iterator[list[str]]:
        tasks = component["dag"]["tasks"]
        needs = {name: set(task.get("dependentTasks", ())) & set(tasks) for name, task in tasks.items()}
        for name in TopologicalSorter(needs).static_order():
            inner = specification["components"][tasks[name]["componentRef"]["name"]]
            if "dag" in inner:
                yield from steps(inner, _ITERATIONS)
            else:
                yield [name] * iterations

    return list(steps(specification["root"], 1))


def paged(items: list[Any], token: str) -> tuple[list[Any], str]:
    start = int(token or 0)
    following = str(start + _PAGE) if start + _PAGE < len(items) else ""
    return items[start : start + _PAGE], following


_METHODS: dict[str, dict[str, tuple[Any, str]]] = {
    "google.cloud.aiplatform.v1.PipelineService": {
        "CreatePipelineJob": (v1.CreatePipelineJobRequest, "create_pipeline_job"),
        "GetPipelineJob": (v1.GetPipelineJobRequest, "get_pipeline_job"),
        "ListPipelineJobs": (v1.ListPipelineJobsRequest, "list_pipeline_jobs"),
        "CancelPipelineJob": (v1.CancelPipelineJobRequest, "cancel_pipeline_job"),
    },
    "google.cloud.aiplatform.v1.ScheduleService": {
        "CreateSchedule": (v1.CreateScheduleRequest, "create_schedule"),
        "GetSchedule": (v1.GetScheduleRequest, "get_schedule"),
        "ListSchedules": (v1.ListSchedulesRequest, "list_schedules"),
        "UpdateSchedule": (v1.UpdateScheduleRequest, "update_schedule"),
        "PauseSchedule": (v1.PauseScheduleRequest, "pause_schedule"),
        "ResumeSchedule": (v1.ResumeScheduleRequest, "resume_schedule"),
        "DeleteSchedule": (v1.DeleteScheduleRequest, "delete_schedule"),
    },
    "google.cloud.aiplatform.v1.ModelService": {
        "UploadModel": (v1.UploadModelRequest, "upload_model"),
        "GetModel": (v1.GetModelRequest, "get_model"),
        "ListModelVersions": (v1.ListModelVersionsRequest, "list_model_versions"),
        "MergeVersionAliases": (v1.MergeVersionAliasesRequest, "merge_version_aliases"),
    },
    "google.longrunning.Operations": {
        "GetOperation": (operations_pb2.GetOperationRequest, "get_operation"),
    },
}


def _handler(server: VertexServer, name: str, message: Any, function: Callable[[Any], Any]) -> grpc.RpcMethodHandler:
    def handle(request: Any, context: grpc.ServicerContext) -> Any:
        with server.lock:
            server.calls.append(name)
            server.metadata |= {key for key, _ in context.invocation_metadata()}
            fault = next((each for each in server.faults if each.method == name and each.times > 0), None)
            if fault is not None:
                fault.times -= 1
                if fault.done_first:
                    function(request)
                if fault.code is None:
                    server.cut()
                context.abort(fault.code or grpc.StatusCode.CANCELLED, fault.message)
            try:
                return function(request)
            except RefusalError as refusal:
                context.abort(refusal.code, str(refusal))

    return grpc.unary_unary_rpc_method_handler(
        handle,
        request_deserializer=getattr(message, "deserialize", None) or message.FromString,
        response_serializer=lambda answer: (
            answer.SerializeToString() if hasattr(answer, "SerializeToString") else type(answer).serialize(answer)
        ),
    )


@contextmanager
def serving() -> Iterator[VertexServer]:
    """Serve an empty location on a free port, behind a relay whose connections can be cut."""
    state = VertexServer()
    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    for service, methods in _METHODS.items():
        handlers = {
            name: _handler(state, name, message, getattr(state, function))
            for name, (message, function) in methods.items()
        }
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, handlers),))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        with CuttingRelay(port) as relay:
            state.url, state.cut = f"http://127.0.0.1:{relay.port}", relay.cut
            yield state
    finally:
        server.stop(grace=None).wait()
