"""A compiled pipeline as objects, so that tests assert what it means and not how it is written."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import yaml


@dataclass(frozen=True)
class CompiledStage:
    """One stage with all that its platform is told about it.

    Attributes:
        name: Name of its component, with underscores.
        display_name: What people read.
        image: Its container image.
        resources: Kubernetes quantities, such as {"cpu limit": "4", "memory limit": "16000M"}.
        accelerator: The accelerator's type, or None.
        accelerators: How many.
        retries: Attempts after the first; 0 for none.
        retry_policy: As written, such as {"backoffDuration": "60s"}.
        caching: Whether a finished stage is used again.
        environment: Variables of its container.
        kubernetes: Its part of the platform's own document, empty where there is none.
    """

    name: str
    display_name: str
    image: str
    resources: dict[str, str]
    accelerator: str | None
    accelerators: int
    retries: int
    retry_policy: dict[str, Any]
    caching: bool
    environment: dict[str, str]
    kubernetes: dict[str, Any]

    @property
    def node_labels(self) -> dict[str, str]:
        """Labels that its node must have."""
        labels: dict[str, str] = self.kubernetes.get("nodeSelector", {}).get("labels", {})
        return labels

    @property
    def tolerations(self) -> set[tuple[str, ...]]:
        """Taints that it tolerates, each as key, operator, value and effect."""
        return {
            tuple(one.get(part, "") for part in ("key", "operator", "value", "effect"))
            for one in self.kubernetes.get("tolerations", [])
        }

    @property
    def timeout_seconds(self) -> int:
        """Longest time of one attempt; 0 for no limit."""
        return int(self.kubernetes.get("activeDeadlineSeconds", 0))


@dataclass(frozen=True)
class CompiledPipeline:
    """A compiled pipeline.

    Attributes:
        documents: How many YAML documents it has.
        parameters: Description of each parameter.
        stages: Every stage by name.
        parallelism: Branches that each loop may run at once, by the loop's name; 0 for no limit.
    """

    documents: int
    parameters: dict[str, str]
    stages: dict[str, CompiledStage]
    parallelism: dict[str, int]

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a compiled YAML."""
        documents = list(yaml.safe_load_all(path.read_text(encoding="utf-8")))
        spec = documents[0]
        platforms = documents[1]["platforms"] if len(documents) > 1 else {}
        kubernetes = platforms.get("kubernetes", {}).get("deploymentSpec", {}).get("executors", {})
        described = spec["root"]["inputDefinitions"]["parameters"]
        parameters = {name: one.get("description", "") for name, one in described.items()}
        stages = (_stage(spec, task, kubernetes) for task in _tasks(spec))
        loops = {
            task["taskInfo"]["name"]: int(task.get("iteratorPolicy", {}).get("parallelismLimit", 0))
            for task in spec["root"]["dag"]["tasks"].values()
            if "parameterIterator" in task
        }
        return cls(len(documents), parameters, {stage.name: stage for stage in stages}, loops)


def _tasks(spec: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Give every task that runs a container, in loops too."""
    for holder in (spec["root"], *spec["components"].values()):
        for task in holder.get("dag", {}).get("tasks", {}).values():
            if "executorLabel" in spec["components"][task["componentRef"]["name"]]:
                yield task


def _stage(spec: dict[str, Any], task: dict[str, Any], kubernetes: dict[str, Any]) -> CompiledStage:
    label = spec["components"][task["componentRef"]["name"]]["executorLabel"]
    container = spec["deploymentSpec"]["executors"][label]["container"]
    resources = container.get("resources", {})
    accelerator = resources.get("accelerator", {})
    policy = task.get("retryPolicy", {})
    quantities = {
        f"{what.lower()} {bound.lower()}": resources[f"resource{what}{bound}"]
        for what in ("Cpu", "Memory")
        for bound in ("Limit", "Request")
        if f"resource{what}{bound}" in resources
    }
    return CompiledStage(
        name=label.removeprefix("exec-").replace("-", "_"),
        display_name=task["taskInfo"]["name"],
        image=container["image"],
        resources=quantities,
        accelerator=accelerator.get("type"),
        accelerators=int(accelerator.get("count", 0)),
        retries=int(policy.get("maxRetryCount", 0)),
        retry_policy=policy,
        caching=task["cachingOptions"].get("enableCache", False),
        environment={one["name"]: one["value"] for one in container.get("env", [])},
        kubernetes=kubernetes.get(label, {}),
    )
