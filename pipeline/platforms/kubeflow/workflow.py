"""A run's workflow on Kubeflow: which of its nodes is which stage, of which branch.

Kubeflow Pipelines turns a compiled pipeline into an Argo workflow and answers with the state of each of the workflow's
nodes, in no fixed order. Beside the stages there are drivers, loops, executors and one node for each attempt; several
have one display name, and none says which variant it belongs to. But a node lists the nodes that follow it by
identifiers that Argo derives from their full names (``Workflow.NodeID``), the full names follow from the compiled
pipeline (KFP's ``argocompiler``: ``root.LOOP.iteration-iterations(I:I).iteration-item.TASK.executor(ATTEMPT)``), and so
the nodes that follow a node tell which one it is.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from functools import cached_property
from graphlib import TopologicalSorter
from typing import Any

_MOST_ATTEMPTS = 11
"""One more than the most retries of the settings."""


class Role(Enum):
    """What a node does for its stage."""

    DRIVER = "prepares it"
    STAGE = "is the whole of it"
    EXECUTOR = "runs its attempts"
    ATTEMPT = "is one attempt"


@dataclass(frozen=True)
class Step:
    """A stage in one branch of the pipeline.

    Attributes:
        stage: The stage's name, with underscores.
        branch: What tells this branch of its loop from the others, such as "baseline, seed 42"; empty outside loops.
        path: Full name of its node, without the workflow's name.
        retries: Attempts after the first.
    """

    stage: str
    branch: str
    path: str
    retries: int

    @property
    def name(self) -> str:
        """What people call it: "train (baseline, seed 42)"."""
        return f"{self.stage} ({self.branch})" if self.branch else self.stage

    @property
    def task(self) -> str:
        """Its task's name in the workflow."""
        return self.path.rpartition(".")[2]

    def attempt_path(self, attempt: int) -> str:
        """Return the full name of an attempt's node; attempts count from 0."""
        return f"{self.path}.executor({attempt})" if self.retries else f"{self.path}.executor"

    def nodes(self) -> Iterator[tuple[str, Role]]:
        """Give the full name of each of its nodes, with its role."""
        yield f"{self.path}-driver", Role.DRIVER
        yield self.path, Role.STAGE
        if self.retries:
            yield f"{self.path}.executor", Role.EXECUTOR
        for attempt in range(_MOST_ATTEMPTS if self.retries else 1):
            yield self.attempt_path(attempt), Role.ATTEMPT


def steps_of(specification: Mapping[str, Any], parameters: Mapping[str, Any]) -> list[Step]:
    """Return every stage of every branch, each after those that it depends on.

    Args:
        specification: A compiled ``PipelineSpec`` as JSON.
        parameters: Values of the pipeline's parameters where they differ from the defaults.
    """
    inputs = specification["root"].get("inputDefinitions", {}).get("parameters", {})
    values = {name: one["defaultValue"] for name, one in inputs.items() if "defaultValue" in one} | dict(parameters)
    return list(_steps(specification["components"], specification["root"], "root", "", values))


def _steps(
    components: Mapping[str, Any], group: Mapping[str, Any], path: str, branch: str, values: Mapping[str, Any]
) -> Iterator[Step]:
    tasks = group["dag"]["tasks"]
    for name in TopologicalSorter(
        {name: task.get("dependentTasks", ()) for name, task in tasks.items()}
    ).static_order():
        task = tasks[name]
        component, inside = components[task["componentRef"]["name"]], f"{path}.{name}"
        if "dag" not in component:
            yield Step(name.replace("-", "_"), branch, inside, int(task.get("retryPolicy", {}).get("maxRetryCount", 0)))
            continue
        passed = _passed(task, values)
        if "parameterIterator" not in task:
            yield from _steps(components, component, inside, branch, passed)
            continue
        items = _items(task["parameterIterator"]["items"], passed)
        for index, item in enumerate(items):
            label = ", ".join(filter(None, (branch, _label(item, index, len(items)))))
            iteration = f"{inside}.iteration-iterations({index}:{index}).iteration-item"
            yield from _steps(components, component, iteration, label, passed)


def _passed(task: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values, known before the run, that a group of tasks is given."""
    passed = {}
    for name, given in task.get("inputs", {}).get("parameters", {}).items():
        if given.get("componentInputParameter") in values:
            passed[name] = values[given["componentInputParameter"]]
        elif "runtimeValue" in given:
            passed[name] = given["runtimeValue"].get("constant")
    return passed


def _items(items: Mapping[str, Any], values: Mapping[str, Any]) -> list[Any]:
    found = json.loads(items["raw"]) if "raw" in items else values.get(items["inputParameter"], [])
    return list(found)


def _label(item: Any, index: int, count: int) -> str:
    if isinstance(item, Mapping) and "variant" in item:
        rest = [f"{name} {_plain(value)}" for name, value in sorted(item.items()) if name != "variant"]
        return ", ".join([str(item["variant"]), *rest])
    return item if isinstance(item, str) else f"{index + 1} of {count}"


def _plain(value: Any) -> str:
    # Numbers in a compiled pipeline are floats.
    return f"{value:g}" if isinstance(value, float) else str(value)


@dataclass(frozen=True)
class Workflow:
    """A run's workflow: its name, and what each of its nodes is by the number that ends the node's identifier."""

    name: str
    steps: tuple[Step, ...]

    @cached_property
    def _known(self) -> dict[str, tuple[Step, Role]]:
        return {node_number(f"{self.name}.{path}"): (step, role) for step in self.steps for path, role in step.nodes()}

    def read(self, node: Any) -> tuple[Step, Role] | None:
        """Return what a node of the API's answer is, or None for the workflow's own scaffolding.

        An attempt is known only where the server tells the name of its pod.
        """
        if node.pod_name:
            return self._known.get(_number(node.pod_name))
        following = (self._known.get(number) for number in followers(node))
        for step, role in filter(None, following):
            if role is Role.STAGE and node.display_name == f"{step.task}-driver":
                return step, Role.DRIVER
            if role in {Role.EXECUTOR, Role.ATTEMPT} and node.display_name == step.task:
                return step, Role.STAGE
            if role is Role.ATTEMPT and node.display_name == "executor":
                return step, Role.EXECUTOR
        return None

    def attempts(self, step: Step, node: Any) -> int:
        """Return how many attempts of a stage its executor has started."""
        numbers = set(followers(node))
        return sum(node_number(f"{self.name}.{step.attempt_path(n)}") in numbers for n in range(_MOST_ATTEMPTS))

    def pod_of(self, step: Step, attempt: int) -> str:
        """Return the name of the pod of an attempt, as Argo and KFP name it."""
        template = f"{'retry-' if step.retries else ''}system-container-impl"
        return f"{self.name}-{template}-{node_number(f'{self.name}.{step.attempt_path(attempt)}')}"


def find_workflow(nodes: list[Any], steps: list[Step]) -> Workflow | None:
    """Return the workflow of a run, or None while the API tells too little.

    The workflow's own node, displayed under the workflow's name, is the one that the driver of the whole run follows.
    """
    for node in nodes:
        if node.display_name and node_number(f"{node.display_name}.root-driver") in followers(node):
            return Workflow(node.display_name, tuple(steps))
    return None


def followers(node: Any) -> list[str]:
    """Return the numbers that end the identifiers of the nodes that follow a node."""
    return [_number(child.pod_name) for child in node.child_tasks or [] if child.pod_name]


def node_number(name: str) -> str:
    """Return the number that Argo identifies a node by: the 32-bit FNV-1a hash of its full name.

    Source: Fowler, Noll and Vo, "The FNV Non-Cryptographic Hash Algorithm", draft-eastlake-fnv.
    """
    number = 0x811C9DC5
    for byte in name.encode():
        number = (number ^ byte) * 0x01000193 % 2**32
    return str(number)


def _number(identifier: str) -> str:
    return identifier.rpartition("-")[2]
