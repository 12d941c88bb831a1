"""How branches that run side by side share this machine's processors."""

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp import dsl

SIDE_BY_SIDE = 2
"""Branches of a loop that KFP's local runner runs at once."""

_VARIABLE = "TF_NUM_INTRAOP_THREADS"


def share_processors(
    branches: Mapping[str, int], parallelism: int | None = None
) -> Callable[["dsl.PipelineTask", str], None]:
    """Return what gives the tasks of a pipeline their share of the processors.

    Left alone, every process of TensorFlow starts a thread for each processor, and two of them keep each other waiting:
    on 2 processors, small networks then take a quarter more processor time. A value that the user has set stays.

    Args:
        branches: For each stage that runs in a loop, how many branches the loop has.
        parallelism: Branches that run at once, if the settings say so; KFP's own limit holds anyway.

    Returns:
        A function of a task and its stage's name.
    """

    def configure(task: "dsl.PipelineTask", stage: str) -> None:
        at_once = min(branches.get(stage, 1), parallelism or SIDE_BY_SIDE, SIDE_BY_SIDE)
        if at_once > 1 and _VARIABLE not in os.environ:
            task.set_env_variable(_VARIABLE, str(max(1, (os.cpu_count() or 1) // at_once)))

    return configure
