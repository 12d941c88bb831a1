"""A Kubeflow Pipelines server on the loopback: the official API with state, and with faults on order.

It behaves as Kubeflow Pipelines 2.17 did on a real cluster; test_server.py says in which points. What it can't show is
the scheduler itself: `KubeflowServer.fire` starts a schedule's run in its place.
"""

import base64
import json
import re
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

import yaml
from google.protobuf import json_format
from kfp.pipeline_spec import pipeline_spec_pb2

from tests.pipeline.platforms.kubeflow.argo_workflow import ArgoWorkflow, fnv1a
from tests.pipeline.platforms.kubeflow.kubeflow_contract import Call, Contract, ContractError

ENDED = {"SUCCEEDED", "FAILED", "CANCELED", "SKIPPED"}
NOT_YET = "1970-01-01T00:00:00Z"
SERVICE_ACCOUNT = "pipeline-runner"
_CODES = {400: 3, 401: 16, 403: 7, 404: 5, 409: 6, 429: 8, 500: 13, 503: 14}

Resource = dict[str, Any]


class RefusalError(Exception):
    """An answer other than 200."""

    def __init__(self, status: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers or {}


@dataclass
class Fault:
    """What goes wrong with an operation.

    Attributes:
        operation: The ``operationId`` that it befalls.
        status: HTTP status; 0 cuts the connection in the middle of the answer, after the deed is done.
        times: How many calls it befalls.
        headers: Headers of the answer.
    """

    operation: str
    status: int
    times: int = 1
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class KubeflowServer:
    """The server's state, and the orders that a test gives.

    Attributes:
        plan: States that a new run goes through, one at each time it is looked at; "" is none yet. At each RUNNING the
            next stages begin; at a RETRYING the run is running, and the first branch begins once more.
        failing_task: Task that fails a run whose plan ends in FAILED, in its last branch and after a retry.
        last_words: Last line of the log of the attempt that fails, or None where no log can be read.
        behind_ui: Whether the host is the user interface, which answers its own page where it knows no path.
        pod_names: Whether the answers tell the names of pods; a real server's don't.
        faults: What goes wrong from now on.
        calls: Operations that were carried out or refused, in order.
        violations: What broke the API's description, on either side.
        authorization: The header that every request must carry, or None.
        audience: Whom every token must be for, or None.
        orphans: Deleted recurring runs that the cluster has not collected yet.
    """

    plan: list[str] = field(default_factory=lambda: ["PENDING", "", "RUNNING", "RUNNING", "SUCCEEDED"])
    failing_task: str = "train"
    last_words: str | None = None
    behind_ui: bool = False
    pod_names: bool = False
    multi_user: bool = False
    authorization: str | None = None
    audience: str | None = None
    faults: list[Fault] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)
    violations: list[str] = field(default_factory=list)
    experiments: dict[str, Resource] = field(default_factory=dict)
    pipelines: dict[str, Resource] = field(default_factory=dict)
    versions: dict[str, Resource] = field(default_factory=dict)
    runs: dict[str, Resource] = field(default_factory=dict)
    recurring_runs: dict[str, Resource] = field(default_factory=dict)
    orphans: dict[str, Resource] = field(default_factory=dict)
    _plans: dict[str, list[str]] = field(default_factory=dict)
    _waves: dict[str, int] = field(default_factory=dict)
    _fired: dict[str, int] = field(default_factory=dict)
    _missed: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.contract = Contract()
        self.lock = threading.Lock()
        handler = type("Handler", (_Handler,), {"state": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()

    @property
    def host(self) -> str:
        """The URL of the API."""
        return f"http://127.0.0.1:{self._http.server_address[1]}"

    def fail(self, operation: str, status: int, times: int = 1, **headers: str) -> None:
        """Order a fault."""
        self.faults.append(Fault(operation, status, times, headers))

    def fire(self, recurring_run_id: str, state: str = "RUNNING") -> str | None:
        """Come to the time of a recurring run, as the scheduler would.

        Returns:
            The identifier of the run that this starts; None where the recurring run is disabled, which then has missed
            a run, or where as many runs as allowed are in flight.
        """
        parent = self.recurring_runs.get(recurring_run_id) or self.orphans[recurring_run_id]
        if parent["status"] == "DISABLED":
            self._missed.add(recurring_run_id)
            return None
        children = [run for run in self.runs.values() if run.get("recurring_run_id") == recurring_run_id]
        if sum(run.get("state") not in ENDED for run in children) >= int(parent["max_concurrency"]):
            return None
        keep = ("experiment_id", "pipeline_version_reference", "runtime_config", "service_account")
        run = self._create_run({key: parent[key] for key in keep if key in parent})
        index = self._fired[recurring_run_id] = self._fired.get(recurring_run_id, 0) + 1
        name = f"{parent['display_name']}{recurring_run_id[:5]}-{index}-{fnv1a(run['run_id'])}"
        run.update(recurring_run_id=recurring_run_id, state=state, display_name=name)
        self._plans[run["run_id"]] = []
        return str(run["run_id"])

    def workflow(self, run: Resource) -> ArgoWorkflow:
        """Return the workflow of a run."""
        document = run["pipeline_spec"].get("pipeline_spec", run["pipeline_spec"])
        parameters = run.get("runtime_config", {}).get("parameters", {})
        return ArgoWorkflow(run["run_id"], f"evenface-{run['run_id'][:5]}", document, parameters)

    def log(self, path: str) -> str | None:
        """Return the log that a path names, outside the described API, or None."""
        own, interface = (
            r"/apis/v1alpha1/runs/(.+)/nodes/(.+)/log",
            r"/k8s/pod/logs\?podname=(?P<pod>.+)&runid=(?P<run>.+)",
        )
        match = re.fullmatch(interface if self.behind_ui else own, path)
        if match and self.behind_ui:
            match = re.fullmatch(own, f"/apis/v1alpha1/runs/{match['run']}/nodes/{match['pod']}/log")
        run = self.runs.get(match[1]) if match else None
        if run is None or match is None or self.last_words is None:
            return None
        workflow = self.workflow(run)
        group, task = workflow.waves[workflow.wave_of(self.failing_task)][-1]
        if match[2] != workflow.pod(group, task, 1):
            return None
        return (
            f"ValueError: of the attempt before\nTraceback (most recent call last):\n{self.last_words}\nexit status 1\n"
        )

    def answer(self, call: Call) -> Resource:
        """Carry out an operation."""
        service, _, verb = call.operation.partition("_")
        method = getattr(self, "_" + _snake(verb or service), None)
        if method is None:
            raise RefusalError(501, f"{call.operation} is not played here")
        result: Resource = method(call)
        return result

    def _get_healthz(self, _: Call) -> Resource:
        return {"multi_user": self.multi_user}

    # Experiments and pipelines.

    def _need_namespace(self, namespace: Any) -> None:
        if self.multi_user and not namespace:
            raise RefusalError(400, "Invalid input error: a namespace cannot be empty in multi-user mode.")

    def _create_experiment(self, call: Call) -> Resource:
        self._need_namespace(call.body.get("namespace"))
        if any(one["display_name"] == call.body["display_name"] for one in self.experiments.values()):
            raise RefusalError(409, f"Experiment {call.body['display_name']} already exists")
        experiment = {**call.body, "experiment_id": _id(), "storage_state": "AVAILABLE", "created_at": _now()}
        self.experiments[experiment["experiment_id"]] = experiment
        return experiment

    def _list_experiments(self, call: Call) -> Resource:
        self._need_namespace(call.query.get("namespace"))
        return _page("experiments", self.experiments, call)

    def _create_pipeline(self, call: Call) -> Resource:
        name = call.body["name"]
        if any(one["name"] == name for one in self.pipelines.values()):
            raise RefusalError(409, f"Pipeline with name {name} already exists")
        pipeline = {**call.body, "pipeline_id": _id(), "created_at": _now()}
        self.pipelines[pipeline["pipeline_id"]] = pipeline
        return pipeline

    def _upload_pipeline_version(self, call: Call) -> Resource:
        pipeline_id, name = call.query["pipelineid"], call.query["name"]
        self._find(self.pipelines, pipeline_id, "Pipeline")
        if any(one["pipeline_id"] == pipeline_id and one["name"] == name for one in self.versions.values()):
            raise RefusalError(409, f"Pipeline version with name {name} already exists")
        version = {
            "pipeline_id": pipeline_id,
            "pipeline_version_id": _id(),
            "name": name,
            "display_name": name,
            "created_at": _now(),
            "pipeline_spec": _read_package(call.file or b""),
        }
        if "description" in call.query:
            version["description"] = call.query["description"]
        self.versions[version["pipeline_version_id"]] = version
        return version

    def _list_pipelines(self, call: Call) -> Resource:
        return _page("pipelines", self.pipelines, call)

    def _list_pipeline_versions(self, call: Call) -> Resource:
        mine = {key: one for key, one in self.versions.items() if one["pipeline_id"] == call.path["pipeline_id"]}
        return _page("pipeline_versions", mine, call)

    # Runs.

    def _create_run(self, body: Call | Resource) -> Resource:
        content = body.body if isinstance(body, Call) else body
        self._check_references(content)
        version = self.versions[content["pipeline_version_reference"]["pipeline_version_id"]]
        run = {"service_account": SERVICE_ACCOUNT, **content, "run_id": _id(), "state": "PENDING", "created_at": _now()}
        run |= {"storage_state": "AVAILABLE", "finished_at": NOT_YET, "pipeline_spec": version["pipeline_spec"]}
        self.runs[run["run_id"]] = run
        self._plans[run["run_id"]] = list(self.plan)
        return run

    def _get_run(self, call: Call) -> Resource:
        run = self._find(self.runs, call.path["run_id"], "Run")
        plan = self._plans[run["run_id"]]
        if plan:
            self._advance(run, plan.pop(0))
        if run.get("state") in ENDED:
            run["finished_at"] = _now()
        return run

    def _advance(self, run: Resource, planned: str) -> None:
        key, workflow, attempts, failing = run["run_id"], self.workflow(run), 1, None
        state = {"RETRYING": "RUNNING"}.get(planned, planned)
        run.pop("state", None)
        if state:
            run["state"] = state
        if planned == "RUNNING":
            self._waves[key] = self._waves.get(key, -1) + 1
        elif planned == "RETRYING":
            attempts = 2
        elif planned == "FAILED":
            self._waves[key] = workflow.wave_of(self.failing_task)
            attempts, failing = 2, len(workflow.waves[self._waves[key]]) - 1
        if state in {"RUNNING", "SUCCEEDED", "FAILED"}:
            details = workflow.look(
                self._waves.get(key, 0), state, attempts=attempts, failing=failing, pod_names=self.pod_names
            )
            run["run_details"] = {"task_details": details}

    def _list_runs(self, call: Call) -> Resource:
        self._need_namespace(call.query.get("namespace") or call.query.get("experiment_id"))
        mine = {
            key: one
            for key, one in self.runs.items()
            if call.query.get("experiment_id") in (None, "", one.get("experiment_id"))
        }
        return _page("runs", mine, call)

    # Recurring runs.

    def _create_recurring_run(self, call: Call) -> Resource:
        self._check_references(call.body)
        if not 1 <= int(call.body.get("max_concurrency", 0)) <= 10:
            raise RefusalError(400, "The max concurrency of the recurring run is out of range. Support 1-10.")
        cron = call.body["trigger"]["cron_schedule"]["cron"]
        if len(cron.split()) not in (5, 6):
            raise RefusalError(400, f"Schedule cron is not a supported format: expected 5 or 6 fields: {cron}")
        recurring = {
            "service_account": SERVICE_ACCOUNT,
            **call.body,
            "recurring_run_id": _id(),
            "created_at": _now(),
            "updated_at": _now(),
        }
        recurring["status"] = "ENABLED" if call.body["mode"] == "ENABLE" else "DISABLED"
        recurring["max_concurrency"] = str(recurring["max_concurrency"])
        self.recurring_runs[recurring["recurring_run_id"]] = recurring
        return recurring

    def _list_recurring_runs(self, call: Call) -> Resource:
        self._need_namespace(call.query.get("namespace") or call.query.get("experiment_id"))
        return _page("recurringRuns", self.recurring_runs, call)

    def _enable_recurring_run(self, call: Call) -> Resource:
        self._find(self.recurring_runs, call.path["recurring_run_id"], "Recurring run").update(
            status="ENABLED", mode="ENABLE"
        )
        if call.path["recurring_run_id"] in self._missed:
            self._missed.remove(call.path["recurring_run_id"])
            self.fire(call.path["recurring_run_id"])
        return {}

    def _disable_recurring_run(self, call: Call) -> Resource:
        self._find(self.recurring_runs, call.path["recurring_run_id"], "Recurring run").update(
            status="DISABLED", mode="DISABLE"
        )
        return {}

    def _delete_recurring_run(self, call: Call) -> Resource:
        key = call.path["recurring_run_id"]
        self._find(self.recurring_runs, key, "Recurring run")
        deleted = self.recurring_runs.pop(key)
        if call.query.get("propagation_policy") == "ORPHAN":
            self.orphans[key] = deleted
        if call.query.get("propagation_policy") != "ORPHAN":
            for run in self.runs.values():
                if run.get("recurring_run_id") == key and run.get("state") not in ENDED:
                    run["state"] = "CANCELED"
        return {}

    def _find(self, resources: dict[str, Resource], key: str, what: str) -> Resource:
        if key not in resources:
            raise RefusalError(404, f"{what} {key} not found")
        return resources[key]

    def _check_references(self, content: Resource) -> None:
        reference = content["pipeline_version_reference"]
        version = self._find(self.versions, reference["pipeline_version_id"], "Pipeline version")
        if version["pipeline_id"] != reference["pipeline_id"]:
            raise RefusalError(400, "The version belongs to another pipeline")
        self._find(self.experiments, content["experiment_id"], "Experiment")
        document = version["pipeline_spec"]
        known = document.get("pipeline_spec", document)["root"]["inputDefinitions"]["parameters"]
        for name in content.get("runtime_config", {}).get("parameters", {}):
            if name not in known:
                raise RefusalError(400, f"The pipeline has no parameter '{name}'")


class _Handler(BaseHTTPRequestHandler):
    """Speaks HTTP for the server's state."""

    state: KubeflowServer
    protocol_version = "HTTP/1.1"

    def _serve(self) -> None:
        content = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with self.state.lock:
            if self.path.startswith(("/apis/v1alpha1/", "/k8s/")):
                return self._send_log(self.state.log(self.path))
            try:
                call = self.state.contract.read(self.command, self.path, self.headers.get("Content-Type", ""), content)
            except ContractError as error:
                self.state.violations.append(str(error))
                return self._send(400, {"code": 3, "message": str(error)})
            return self._carry_out(call)

    def _carry_out(self, call: Call) -> None:
        state = self.state
        state.calls.append(call.operation)
        fault = next((one for one in state.faults if one.operation == call.operation and one.times > 0), None)
        headers: dict[str, str] = {}
        try:
            self._refuse(fault)
            status, answer = 200, state.answer(call)
        except RefusalError as refusal:
            status, headers = refusal.status, refusal.headers
            answer = {"code": _CODES.get(status, 2), "message": refusal.message}
        try:
            state.contract.check_response(call.operation, status, answer)
        except ContractError as error:
            state.violations.append(str(error))
        self._send(status, answer, headers, cut=fault is not None and not fault.status)

    def _send_log(self, log: str | None) -> None:
        page = self.state.behind_ui
        content = (log or ("<html>" if page else '{"error_message": "Failed to read logs"}')).encode()
        self.send_response(200 if log or page else 500)
        self.send_header("Content-Type", "text/plain" if log else "text/html" if page else "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _refuse(self, fault: Fault | None) -> None:
        expected = self.state.authorization
        if expected is not None and self.headers.get("Authorization") != expected:
            raise RefusalError(401, "Request not authenticated")
        audience = self.state.audience
        if audience is not None and audience not in _audience(self.headers.get("Authorization", "")):
            raise RefusalError(401, f"Review the token failed: token audiences is not {audience}")
        if fault is not None:
            fault.times -= 1
            if fault.status:
                raise RefusalError(fault.status, f"Ordered fault {fault.status}", fault.headers)

    def _send(self, status: int, answer: Resource, headers: dict[str, str] | None = None, *, cut: bool = False) -> None:
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        for name, value in (headers or {}).items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        if cut:
            content = content[: len(content) // 2]
            self.close_connection = True
        self.wfile.write(content)

    do_GET = do_POST = do_DELETE = _serve  # noqa: N815 - the standard library calls them so

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def _audience(header: str) -> list[str]:
    """Return whom a service account's token is for."""
    payload = header.split(".")[1] if header.count(".") == 2 else "e30="
    claimed = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))).get("aud", [])
    return [claimed] if isinstance(claimed, str) else list(claimed)


def _page(name: str, resources: dict[str, Resource], call: Call) -> Resource:
    """Return one page of a list, filtered by equal display names as the clients do."""
    wanted: Callable[[Resource], bool] = lambda one: True  # noqa: E731
    if call.query.get("filter"):
        predicates = json.loads(call.query["filter"])["predicates"]
        if any(one["operation"] not in (1, "EQUALS") for one in predicates):
            raise RefusalError(400, "Only EQUALS is played here")
        wanted = lambda one: all(one.get(p["key"]) == p["stringValue"] for p in predicates)  # noqa: E731
    found = [one for one in resources.values() if wanted(one)]
    if call.query.get("sort_by", "").endswith(" desc"):
        found.reverse()
    size = call.query.get("page_size") or 20
    start = int(call.query.get("page_token") or 0)
    page: Resource = {name: found[start : start + size], "total_size": len(found)}
    if start + size < len(found):
        page["next_page_token"] = str(start + size)
    return page


def _read_package(content: bytes) -> Resource:
    """Parse an uploaded package as the platform does: a pipeline and at most one platform document."""
    try:
        documents = list(yaml.load_all(content, yaml.CSafeLoader))
        json_format.ParseDict(documents[0], pipeline_spec_pb2.PipelineSpec())
        for document in documents[1:]:
            json_format.ParseDict(document, pipeline_spec_pb2.PlatformSpec())
    except (yaml.YAMLError, json_format.ParseError, IndexError) as error:
        raise RefusalError(400, f"Invalid pipeline package: {error}") from error
    return documents[0] if len(documents) == 1 else {"pipeline_spec": documents[0], "platform_spec": documents[1]}


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name).lstrip("_")


def _id() -> str:
    return str(uuid.uuid4())


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
