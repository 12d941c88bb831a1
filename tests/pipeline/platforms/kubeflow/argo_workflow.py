"""What Kubeflow Pipelines 2.17 on Argo 4.0 answers about the nodes of a run: `task_details` as a cluster gave them.

Seen there: the workflow's own node under the workflow's name, `root`, drivers, `executor` and `executor(N)` for each
attempt, `iteration-item` and `iteration-iterations(I:I)` of loops; in no fixed order, several with one display name,
some with none, the state of omitted ones absent, and no `error` for failed ones. Identifiers are Argo's: the name of
the workflow and the FNV-1a hash of the node's full name.
"""

import json
import uuid
from dataclasses import dataclass, field
from graphlib import TopologicalSorter

Wave = list[tuple[str, str]]
"""Stages that run at once: each as the full name of the group it is in, and its task."""


@dataclass
class Node:
    name: str
    state: str
    display_name: str
    followers: list[str] = field(default_factory=list)
    template: str = "group"


class ArgoWorkflow:
    """The workflow of one run: `look` answers how it stands after so many finished waves of stages."""

    def __init__(self, run_id, name, specification, parameters):
        self.run_id, self.name = run_id, name
        self._components = specification["components"]
        self._root = specification["root"]["dag"]["tasks"]
        inputs = specification["root"]["inputDefinitions"]["parameters"]
        self._values = {key: one.get("defaultValue") for key, one in inputs.items()} | parameters
        self.waves = [wave for task in _ordered(self._root) for wave in self._waves_of(task)]

    def _component(self, task):
        return self._components[task["componentRef"]["name"]]

    def _items(self, loop):
        items = self._root[loop]["parameterIterator"]["items"]
        return json.loads(items["raw"]) if "raw" in items else self._values[items["inputParameter"].split("--")[1]]

    def _waves_of(self, task) -> list[Wave]:
        component = self._component(self._root[task])
        if "dag" not in component:
            return [[(f"{self.name}.root", task)]]
        groups = [
            f"{self.name}.root.{task}.iteration-iterations({i}:{i}).iteration-item"
            for i in range(len(self._items(task)))
        ]
        return [[(group, inner) for group in groups] for inner in _ordered(component["dag"]["tasks"])]

    def wave_of(self, task) -> int:
        return next(number for number, wave in enumerate(self.waves) if wave[0][1] == task)

    def pod(self, group, task, attempt) -> str:
        """Return the name of the pod of an attempt."""
        return f"{self.name}-retry-system-container-impl-{fnv1a(f'{group}.{task}.executor({attempt})')}"

    def look(self, finished: int, state: str, *, attempts: int = 1, failing: int | None = None, pod_names=False):
        """Answer the task details.

        Args:
            finished: Waves that are done; the next one is running, if the run is.
            state: The run's.
            attempts: Attempts so far of the running wave's first branch, or of the failing one.
            failing: Branch of the next wave that fails, once the run has failed.
            pod_names: Whether nodes tell the names of their pods.
        """
        nodes = {}

        def add(name, node_state, display=None, template="group"):
            display = name.rpartition(".")[2] if display is None else display
            node = nodes.setdefault(name, Node(name, node_state, display, template=template))
            # A loop is as its worst branch.
            node.state = node_state if node_state in {"RUNNING", "FAILED"} else node.state
            return node

        add(self.name, state, self.name).followers.append(f"{self.name}.root-driver")
        add(f"{self.name}.root-driver", "SUCCEEDED").followers.append(f"{self.name}.root")
        add(f"{self.name}.root", state)
        add(f"{self.name}.agent", "SUCCEEDED", "")
        for number, wave in enumerate(self.waves):
            for branch, (group, task) in enumerate(wave):
                fails = state == "FAILED" and number == finished and branch == failing
                if (
                    number < finished
                    or state == "SUCCEEDED"
                    or (state == "FAILED" and number == finished and not fails)
                ):
                    self._add_stage(add, group, task, "SUCCEEDED", 1)
                elif fails:
                    self._add_stage(add, group, task, "FAILED", attempts)
                elif state == "RUNNING" and number == finished:
                    self._add_stage(add, group, task, "RUNNING", attempts if branch == 0 else 1)
                elif state == "FAILED":
                    add(f"{group}.{task}-driver", "")
                    add(f"{group}.{task}", "")
        details = [self._detail(node, pod_names) for node in nodes.values()]
        return sorted(details, key=lambda detail: fnv1a(f"{finished} {detail['task_id']}"))

    def _add_stage(self, add, group, task, state, attempts):
        self._add_loop(add, group, state, f"{group}.{task}-driver")
        path = f"{group}.{task}"
        add(f"{path}-driver", "SUCCEEDED").followers.append(path)
        add(path, state).followers.append(f"{path}.executor")
        executor = add(f"{path}.executor", state)
        for attempt in range(attempts):
            last = attempt == attempts - 1
            name = f"{path}.executor({attempt})"
            add(name, state if last else "FAILED", template="retry-system-container-impl")
            executor.followers.append(name)

    def _add_loop(self, add, group, state, first):
        above, _, item = group.rpartition(".")
        if item != "iteration-item":
            return
        loop = above.rpartition(".")[0]
        add(loop, state).followers.append(f"{loop}.iteration-driver")
        add(f"{loop}.iteration-driver", "SUCCEEDED").followers.append(f"{loop}.iteration-iterations")
        add(f"{loop}.iteration-iterations", state).followers.append(above)
        add(above, state).followers.append(f"{group}-driver")
        add(f"{group}-driver", "SUCCEEDED").followers.append(group)
        add(group, state).followers.append(first)

    def _detail(self, node, pod_names):
        detail = {
            "run_id": self.run_id,
            "task_id": str(uuid.uuid5(uuid.NAMESPACE_OID, self.run_id + node.name)),
            "create_time": "2026-11-24T12:00:00Z",
            "end_time": "1970-01-01T00:00:00Z",
            "child_tasks": [{"pod_name": f"{self.name}-{fnv1a(name)}"} for name in dict.fromkeys(node.followers)],
        }
        detail |= {"display_name": node.display_name} if node.display_name else {}
        detail |= {"state": node.state} if node.state else {}
        if pod_names:
            detail["pod_name"] = f"{self.name}-{node.template}-{fnv1a(node.name)}"
        return detail


def _ordered(tasks):
    return list(
        TopologicalSorter({name: task.get("dependentTasks", []) for name, task in tasks.items()}).static_order()
    )


def fnv1a(text):
    number = 2166136261
    for byte in text.encode():
        number = ((number ^ byte) * 16777619) & 0xFFFFFFFF
    return number
