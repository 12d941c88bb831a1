"""KFP's DockerRunner: the same local run, every stage in a container."""

import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import kfp.local
from docker.client import DockerClient
from docker.types import DeviceRequest, Mount

from components.mlflow_server import CREDENTIALS
from pipeline.platforms.local.docker_image import DockerImage, check_current, connect, find_image
from pipeline.platforms.local.lock import take_lock
from pipeline.platforms.local.settings import DockerSettings
from pipeline.platforms.local.stage_container import StageContainers, guarded_stages

_RUN_LABEL = "evenface.run"
_LOCK_LABEL = "evenface.lock"
_PASSED_ON = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_PROJECT",
    "KERAS_HOME",
    "STORAGE_EMULATOR_HOST",
    "TF_CPP_MIN_LOG_LEVEL",
    "TF_ENABLE_ONEDNN_OPTS",
)


class DockerExecutor:
    """Runs the stages of a local run in containers of one image.

    A container has no capabilities and can gain none; its root file system is read-only. It sees the
    run's folder, what it reads (read-only) and a /tmp of its own on disk, as large as the disk: decoded
    images are kept there, and in memory they would count against the limit.

    Attributes:
        image: The image's ID, not its name: KFP's cache keys hold it, and a rebuilt image has another one.
    """

    def __init__(
        self,
        image: DockerImage,
        settings: DockerSettings,
        lock: Path | None = None,
        mlflow_stages: Collection[str] = (),
    ) -> None:
        self.image = image.id
        self._settings = settings
        self._lock = lock
        self._mlflow_stages = mlflow_stages
        self._stages: StageContainers | None = None

    @classmethod
    def open(
        cls,
        reference: str,
        settings: DockerSettings,
        lock: Path | None = None,
        mlflow_stages: Collection[str] = (),
    ) -> "DockerExecutor":
        """Check that the engine answers and that the image holds this checkout's sources.

        Args:
            reference: Name of the image.
            settings: What a container may use.
            lock: File whose lock the run holds: by it, a later run knows whether its containers are still wanted.

            mlflow_stages: Stages that ask an MLflow server: they alone see the caller's credentials for it.

        Raises:
            RequestError: If no engine answers, or the image is missing or stale.
        """
        with closing(connect()) as client:
            image = find_image(client, reference)
        check_current(image)
        return cls(image, settings, lock, mlflow_stages)

    @contextmanager
    def runner(self, reads: list[Path], writes: list[Path]) -> Iterator[kfp.local.DockerRunner]:
        """Yield KFP's runner; whatever still runs when the block ends is stopped.

        Args:
            reads: Files and directories that stages read, made visible read-only at the same path.
            writes: Directories that stages write to, made visible at the same path. They are created
                here, because the engine would create them as root.
        """
        for directory in writes:
            directory.mkdir(parents=True, exist_ok=True)
        labels = {_RUN_LABEL: uuid.uuid4().hex}
        if self._lock is not None:
            labels[_LOCK_LABEL] = str(self._lock.resolve())
        with closing(connect()) as client, guarded_stages(self._secrets()) as stages:
            _remove_abandoned(client, labels.get(_LOCK_LABEL))
            self._stages = stages
            arguments = self._arguments(client.info(), reads, writes)
            try:
                yield kfp.local.DockerRunner(labels=labels, **arguments)
            finally:
                self.stop()

    def stop(self) -> None:
        """End the containers that run, and start no more."""
        if self._stages is not None:
            self._stages.stop()

    def _secrets(self) -> dict[str, dict[str, str]]:
        """Return the variables that single stages see; KFP's own way gives one to all, and its cache key holds it."""
        credentials = {name: os.environ[name] for name in CREDENTIALS if name in os.environ}
        return dict.fromkeys(self._mlflow_stages, credentials)

    def _arguments(self, engine: dict[str, Any], reads: list[Path], writes: list[Path]) -> dict[str, Any]:
        environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        if credentials := environment.get("GOOGLE_APPLICATION_CREDENTIALS"):
            reads = [*reads, Path(credentials).resolve()]
            environment["GOOGLE_APPLICATION_CREDENTIALS"] = str(reads[-1])
        mounts = [Mount(str(path), str(path), "bind", read_only=True) for path in reads]
        mounts += [Mount(str(path), str(path), "bind") for path in writes]
        arguments: dict[str, Any] = {
            "user": _caller(engine),
            "read_only": True,
            "mounts": [*mounts, Mount("/tmp", None, "volume")],  # noqa: S108 - the container's own
            "environment": environment,
            "cap_drop": ["ALL"],
            "security_opt": ["no-new-privileges"],
        }
        if self._settings.memory_gb is not None:
            limit = int(self._settings.memory_gb * 1e9)
            arguments |= {"mem_limit": limit, "memswap_limit": limit}
        if self._settings.gpus == "all" or (self._settings.gpus == "auto" and passes_gpus(engine)):
            arguments["device_requests"] = [DeviceRequest(count=-1, capabilities=[["gpu"]])]
        return arguments


def passes_gpus(engine: dict[str, Any]) -> bool:
    """Say whether this machine has an NVIDIA GPU and the engine can pass it to containers."""
    hook = shutil.which("nvidia-container-runtime-hook")
    return Path("/dev/nvidiactl").exists() and ("nvidia" in engine.get("Runtimes", {}) or hook is not None)


def _remove_abandoned(client: DockerClient, own_lock: str | None) -> None:
    """Remove the containers of killed runs: those under this run's own lock, and those whose lock nobody holds."""
    for container in client.containers.list(all=True, filters={"label": _LOCK_LABEL}):
        lock = container.labels[_LOCK_LABEL]
        descriptor = None if lock == own_lock else take_lock(Path(lock))
        if lock == own_lock or descriptor is not None:
            container.remove(v=True, force=True)
        if descriptor is not None:
            os.close(descriptor)


def _caller(engine: dict[str, Any]) -> str:
    """Return the container's user and group, so that results belong to the caller.

    Without capabilities, root too reads and writes only what its user ID may: its own files, and what all may read.
    """
    if any("rootless" in option for option in engine.get("SecurityOptions") or []):
        return "0:0"  # Root in a rootless engine's container is the caller.
    return f"{os.getuid()}:{os.getgid()}"
