"""One stage in one container, whose outcome is never guessed.

KFP's own function lets the engine remove a container as soon as it exits and takes a container that
is gone for one that succeeded (https://github.com/kubeflow/pipelines/issues/13332). Here the container
stays until its logs and its exit code are read and its declared outputs are seen.
"""

import codecs
import json
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import RLock
from types import MappingProxyType
from typing import Any

from docker.client import DockerClient
from docker.errors import DockerException
from docker.models.containers import Container
from kfp.local import docker_task_handler

from pipeline.platforms.causes import cause_in
from pipeline.platforms.submission import RunFailedError

_TAIL_LINES = 20
_SHOWN_LINES = 3
_FUNCTION = "--function_to_execute"
_NO_FILE = {"system.Metrics", "system.ClassificationMetrics", "system.SlicedClassificationMetrics"}
"""Artifacts that consist only of metadata: KFP writes no file for them."""


class StageContainers:
    """The containers of a run's stages.

    Args:
        secrets: For each stage that has some, the variables that its container alone sees.
    """

    def __init__(self, secrets: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> None:
        self._secrets = secrets
        self._running: list[Container] = []
        self._stopped = False
        # A signal's handler runs in the main thread, in the middle of whatever that does.
        self._lock = RLock()

    def stop(self) -> None:
        """Kill the containers that run, and start no more; whoever runs them removes them."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for container in running:
            # The shell that is a container's first process would not pass on a request to end.
            with suppress(DockerException):
                container.kill()

    def start(self, container: Container) -> None:
        """Start a container.

        Raises:
            DockerException: If it can't be started, or none is any more.
        """
        with self._lock:
            if self._stopped:
                raise DockerException("the run was ended")
            self._running.append(container)
        container.start()

    def run(
        self, client: DockerClient, image: str, command: Sequence[str], volumes: dict[str, Any], **arguments: Any
    ) -> int:
        """Run a command in a container; see :func:`run_stage_container`."""
        if secrets := self._secrets.get(_stage_of(command)):
            arguments["environment"] = {**(arguments.get("environment") or {}), **secrets}
        return run_stage_container(client, image, command, volumes, start=self.start, **arguments)


@contextmanager
def guarded_stages(secrets: Mapping[str, Mapping[str, str]] = MappingProxyType({})) -> Iterator[StageContainers]:
    """Make KFP's DockerRunner run its containers with `run_stage_container` while the block lasts.

    Args:
        secrets: As for :class:`StageContainers`.
    """
    original = docker_task_handler.run_docker_container
    stages = StageContainers(secrets)
    docker_task_handler.run_docker_container = stages.run
    try:
        yield stages
    finally:
        docker_task_handler.run_docker_container = original


def run_stage_container(
    client: DockerClient,
    image: str,
    command: Sequence[str],
    volumes: dict[str, Any],
    *,
    start: Callable[[Container], None] = Container.start,
    **arguments: Any,
) -> int:
    """Run a command in a container, print its output and return its exit code.

    A failure is explained in a final printed line, unless the end of the output names the error itself.

    Args:
        client: Client of the engine.
        image: Image that the engine holds.
        command: The command; KFP's executor input in it names the declared outputs.
        volumes: Mounts in the form of docker's ``volumes``.
        start: Starts the container.
        arguments: Further arguments of docker's ``containers.create``.

    Returns:
        The exit code: 0 only if the command succeeded and left every output that it declares.
        125 if the container could not be run.
    """
    container: Container | None = None
    tail: deque[str] = deque(maxlen=_TAIL_LINES)
    try:
        container = client.containers.create(image=image, command=list(command), volumes=volumes, **arguments)
        start(container)
        for line in _lines(_output(container)):
            print(line, flush=True)  # noqa: T201 - KFP's runner reads what its tasks print
            tail.append(line)
        exit_code = int(container.wait(timeout=None)["StatusCode"])
        container.reload()
        killed_for_memory = bool(container.attrs["State"]["OOMKilled"])
    except DockerException as error:
        _explain(f"its container could not be run ({' '.join(str(error).split())}): check the Docker engine")
        return 125
    finally:
        if container is not None:
            container.remove(v=True, force=True)
    if exit_code:
        _explain_exit(exit_code, tail, killed_for_memory=killed_for_memory, limit=arguments.get("mem_limit"))
        return exit_code
    if missing := missing_outputs(command):
        _explain(f"its container succeeded but left no output {', '.join(missing)}: see its log")
        return 1
    return 0


def _stage_of(command: Sequence[str]) -> str:
    """Return the name of the stage that a KFP command runs, or an empty text."""
    place = list(command).index(_FUNCTION) + 1 if _FUNCTION in command else len(command)
    return command[place] if place < len(command) else ""


def missing_outputs(command: Sequence[str]) -> list[str]:
    """Return the names of the outputs that a KFP command declares and that don't exist."""
    if "--executor_input" not in command:
        return []
    outputs = json.loads(command[list(command).index("--executor_input") + 1]).get("outputs", {})
    expected = {
        name: artifact["uri"]
        for name, entry in outputs.get("artifacts", {}).items()
        for artifact in entry["artifacts"]
        if artifact.get("type", {}).get("schemaTitle") not in _NO_FILE
    }
    expected |= {name: entry["outputFile"] for name, entry in outputs.get("parameters", {}).items()}
    return [name for name, path in expected.items() if path.startswith("/") and not Path(path).exists()]


def _output(container: Container) -> Iterator[bytes]:
    """Yield what a container prints until it has ended."""
    seen = 0
    for chunk in container.logs(stream=True, follow=True):
        seen += len(chunk)
        yield chunk
    container.wait(timeout=None)
    # The engine may stop following before it has stored what the container printed last.
    for chunk in container.logs(stream=True, follow=False):
        yield chunk[seen:]
        seen = max(0, seen - len(chunk))


def _lines(chunks: Iterator[bytes]) -> Iterator[str]:
    """Join the engine's chunks, which may end in the middle of a line or of a character."""
    decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
    rest = ""
    for chunk in chunks:
        *lines, rest = (rest + decoder.decode(chunk)).split("\n")
        yield from (line.rstrip("\r") for line in lines)
    if rest:
        yield rest


def _explain_exit(exit_code: int, tail: Sequence[str], *, killed_for_memory: bool, limit: int | None) -> None:
    if killed_for_memory:
        allowed = f"its limit of {limit / 1e9:g} GB" if limit else "what the machine has"
        _explain(f"its container used more memory than {allowed} and was killed: raise platform.docker.memory_gb")
    elif not any(cause_in(line) for line in tail):
        ended = f"was killed by signal {exit_code - 128}" if exit_code > 128 else f"exited with code {exit_code}"
        last = [line.strip() for line in tail if line.strip()][-_SHOWN_LINES:]
        _explain(f"its container {ended}; " + (f"its last lines: {' | '.join(last)}" if last else "it printed nothing"))


def _explain(reason: str) -> None:
    print(f"{RunFailedError.__name__}: {reason}", flush=True)  # noqa: T201 - the run's log shows an error's last line
