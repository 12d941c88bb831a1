"""The tasks of a local run: what each is called, and how many there will be."""

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

_PREFIX = "comp-"


@dataclass(frozen=True)
class Task:
    """One task of a stage.

    Attributes:
        stage: The stage's own name: KFP writes components with hyphens.
        run: What tells it from the stage's other tasks, such as ``"ins, seed 42"``; empty where it is the only one.
    """

    stage: str
    run: str = ""

    @classmethod
    def of(cls, component: str, arguments: Mapping[str, Any]) -> "Task":
        """Return the task that KFP runs for a component with these arguments.

        Evaluate knows its run from the model alone, whose metadata name it.
        """
        model = getattr(arguments.get("model"), "metadata", {})
        arguments = {**{name: model[name] for name in ("variant", "seed") if name in model}, **arguments}
        words = []
        if "variant" in arguments:
            words.append(str(arguments["variant"]))
        if "seed" in arguments:
            words.append(f"seed {_whole(arguments['seed'])}")
        if "part" in arguments:
            words.append(f"part {_whole(arguments['part'], 1)}")
        return cls(component.removeprefix(_PREFIX).replace("-", "_"), ", ".join(words))

    def __str__(self) -> str:
        """Return the name that a person reads, such as ``"train ins, seed 42"``."""
        return f"{self.stage} {self.run}".rstrip()


def _whole(argument: Any, added: int = 0) -> str:
    """Return a number as people write it; KFP makes a float of every one."""
    return f"{argument + added:g}" if isinstance(argument, int | float) else str(argument)


def count_tasks(specification: Any) -> Counter[str]:
    """Return how many tasks of each stage a pipeline has.

    Args:
        specification: The compiled pipeline, as KFP's ``PipelineSpec``. Its loops go over a list in it, or over a
            parameter's default value.
    """

    def count(tasks: Mapping[str, Any]) -> Counter[str]:
        found: Counter[str] = Counter()
        for task in tasks.values():
            name = task.component_ref.name
            component = specification.components[name]
            inner = count(component.dag.tasks) if component.HasField("dag") else Counter({Task.of(name, {}).stage: 1})
            for stage, amount in inner.items():
                found[stage] += amount * _iterations(specification, task)
        return found

    return count(specification.root.dag.tasks)


def _iterations(specification: Any, task: Any) -> int:
    if task.WhichOneof("iterator") != "parameter_iterator":
        return 1
    items = task.parameter_iterator.items
    if items.raw:
        return len(json.loads(items.raw))
    parameter = task.inputs.parameters[items.input_parameter].component_input_parameter or items.input_parameter
    default = specification.root.input_definitions.parameters[parameter].default_value
    return max(1, len(default.list_value.values))
