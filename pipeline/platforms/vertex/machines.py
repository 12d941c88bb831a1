"""Which machines and accelerators Vertex AI has for a stage's resources."""

from components.errors import RequestError
from pipeline.platforms.resources import ResourcesSettings, StageResources

MAX_CPUS = 96
"""Most vCPUs of a pipeline task, see "Specify the machine configuration for a pipeline step"."""

MAX_MEMORY_GB = 624
"""Most memory of a pipeline task, from the same page."""


ACCELERATOR_TYPES = {
    "nvidia-t4": "NVIDIA_TESLA_T4",
    "nvidia-l4": "NVIDIA_L4",
    "nvidia-v100": "NVIDIA_TESLA_V100",
    "nvidia-a100-40gb": "NVIDIA_TESLA_A100",
    "nvidia-a100-80gb": "NVIDIA_A100_80GB",
    "nvidia-h100-80gb": "NVIDIA_H100_80GB",
}
"""Value of Vertex AI's ``AcceleratorType`` for each GPU model of the settings."""

MACHINES: dict[str, dict[int, tuple[int, int]]] = {
    "nvidia-t4": {1: (16, 104), 2: (32, 208), 4: (96, 624)},
    "nvidia-v100": {1: (8, 52), 2: (16, 104), 4: (32, 208), 8: (96, 624)},
    "nvidia-l4": {1: (32, 128), 2: (24, 96), 4: (48, 192), 8: (96, 384)},
    "nvidia-a100-40gb": {1: (12, 85), 2: (24, 170), 4: (48, 340), 8: (96, 680), 16: (96, 1360)},
    "nvidia-a100-80gb": {1: (12, 170), 2: (24, 340), 4: (48, 680), 8: (96, 1360)},
    "nvidia-h100-80gb": {1: (26, 234), 2: (52, 468), 4: (104, 936), 8: (208, 1872)},
}
"""For each GPU model, how many a machine may have, with the vCPUs and gigabytes of the largest such machine.

T4 and V100 are attached to N1 machines (custom training offers the predefined ones); L4 comes with
G2, A100 with A2, H100 with A3 machines.
"""


def check_machines(resources: ResourcesSettings) -> list[str]:
    """Check every stage's resources against Vertex AI's machines.

    Returns:
        A sentence for each combination that Vertex AI is likely to refuse.

    Raises:
        RequestError: If there is no such machine, naming the setting and what is allowed.
    """
    return [warning for stage, asked in resources.stages() for warning in _check_stage(stage, asked)]


def _check_stage(stage: str, asked: StageResources) -> list[str]:
    for key, value, limit in (("cpu", asked.cpu, MAX_CPUS), ("memory_gb", asked.memory_gb, MAX_MEMORY_GB)):
        if value > limit:
            raise RequestError(
                f"resources.{stage}.{key} is {value:g}, but a Vertex AI task has at most {limit}", remedy="lower it"
            )
    if asked.accelerator is None:
        return []
    machines = MACHINES[asked.accelerator]
    gpus = f"{asked.accelerator_count} {ACCELERATOR_TYPES[asked.accelerator]}"
    if asked.accelerator_count not in machines:
        *counts, last = machines
        raise RequestError(
            f"resources.{stage} asks for {gpus}, but a Vertex AI machine carries "
            f"{', '.join(map(str, counts))} or {last}",
            remedy=f"set resources.{stage}.accelerator_count to one of these",
        )
    cpus, memory_gb = machines[asked.accelerator_count]
    if asked.cpu > cpus or asked.memory_gb > memory_gb:
        return [
            f"resources.{stage} asks for {asked.cpu:g} CPUs and {asked.memory_gb:g} GB with {gpus}, "
            f"but the largest such machine has {cpus} and {memory_gb} GB: Vertex AI may refuse the task."
        ]
    return []
