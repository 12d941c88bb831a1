"""What this machine and these credentials can do, each failing check with its cure."""

import logging
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from components.errors import EvenfaceError
from components.gs_uri import GsUri
from pipeline.platforms.resources import ACCELERATORS
from pipeline.platforms.submission import Target, load_platform

if TYPE_CHECKING:
    from pipeline.settings import Settings  # The command line reads this module and must start fast.

_ROOT = Path(__file__).resolve().parents[1]
_PYTHONS = ((3, 11), (3, 12))
_MEMORY_GB = 4.0
_DISK_GB = 5.0
_PATIENCE_SECONDS = 10.0
_KUBEFLOW_HOST = "KF_PIPELINES_ENDPOINT"
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


class Place(StrEnum):
    """Where the user wants to run; it decides which checks are required."""

    SUBPROCESS = "subprocess"
    DOCKER = "docker"
    KUBEFLOW = "kubeflow"
    VERTEX = "vertex"


@dataclass(frozen=True)
class Check:
    """What one check found.

    Attributes:
        name: What was looked at.
        passed: Whether it is as it should be.
        finding: What was found.
        cure: What to do if it did not pass.
        required: Whether the place can't be used without it.
    """

    name: str
    passed: bool
    finding: str
    cure: str = ""
    required: bool = False


def examine(settings: "Settings", place: Place, bucket: str | None = None, root: Path = _ROOT) -> list[Check]:
    """Run every check.

    A platform's API is asked only if the user wants to run there or the settings say where it is.

    Args:
        settings: Tell the platforms, the image and the resources.
        place: Where the user wants to run.
        bucket: ``gs://`` URI that must be readable and writable, or None.
        root: The checkout, for its lock files and its sources.

    Returns:
        The checks, in a fixed order.
    """
    local = place in (Place.SUBPROCESS, Place.DOCKER)
    checks: list[tuple[Callable[[], Check], bool]] = [
        (check_python, True),
        (partial(check_libraries, root), local),
        (check_memory, local),
        (partial(check_disk, Path.cwd()), local),
        (check_gpu, False),
        (check_engine, place is Place.DOCKER),
        (partial(check_image, settings, root), place is Place.DOCKER),
        (check_credentials, place is Place.VERTEX or bucket is not None),
    ]
    if bucket is not None:
        checks.append((partial(check_bucket, bucket), True))
    for target in Target:
        required = place == target.value
        checks.append((partial(check_resources, settings, target), required))
        if required or _is_configured(settings, target):
            checks.append((partial(check_platform, settings, target), required))
    return [replace(check(), required=required) for check, required in checks]


def check_python() -> Check:
    """Check the version of Python."""
    version = sys.version.split()[0]
    cure = "install Python 3.11 or 3.12 and run `make install` with PYTHON=python3.11"
    return Check("Python", sys.version_info[:2] in _PYTHONS, version, cure)


def check_libraries(root: Path = _ROOT) -> Check:
    """Compare the installed libraries with a lock file; nothing is imported.

    Args:
        root: The checkout. The lock with the fewest differences counts: which one was installed
            depends on whether there is a GPU.
    """
    locks = sorted(root.glob("docker/requirements-[cg]pu.txt"))
    if not locks:
        return Check("Libraries", True, "no lock file here: evenface was installed as a package")
    compared = [_differences(_LOCKED.findall(lock.read_text(encoding="utf-8"))) for lock in locks]
    differences, wanted = min(compared, key=lambda one: len(one[0]))
    shown = ", ".join(differences[:3]) + (f" and {len(differences) - 3} more" if len(differences) > 3 else "")
    finding = shown or f"all {wanted} as locked, TensorFlow {_installed('tensorflow-cpu') or _installed('tensorflow')}"
    return Check("Libraries", not differences, finding, "run `make install`")


def _differences(locked: Iterable[tuple[str, str]]) -> tuple[list[str], int]:
    pairs = list(locked)
    found = [(name, wanted, _installed(name)) for name, wanted in pairs]
    return [f"{name} {have or 'missing'}, not {wanted}" for name, wanted, have in found if have != wanted], len(pairs)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_memory() -> Check:
    """Check the machine's memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    cure = f"use a machine with {_MEMORY_GB:g} GB or more"
    return Check("Memory", total >= _MEMORY_GB, f"{total:.1f} GB, {os.cpu_count()} processors", cure)


def check_disk(directory: Path) -> Check:
    """Check the free space where runs are written."""
    free = shutil.disk_usage(directory).free / 1e9
    cure = f"free {_DISK_GB:g} GB, or write elsewhere with --output"
    return Check("Disk", free >= _DISK_GB, f"{free:.0f} GB free in {directory}", cure)


def check_gpu() -> Check:
    """Look for an NVIDIA GPU and its driver."""
    program = shutil.which("nvidia-smi")
    if program is None:
        return Check("GPU", False, "none (no nvidia-smi)", "none is needed, training takes longer without one")
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        shown = subprocess.run(query, capture_output=True, text=True, timeout=_PATIENCE_SECONDS, check=True).stdout  # noqa: S603 - a fixed command
    except (subprocess.SubprocessError, OSError):
        return Check("GPU", False, "nvidia-smi fails", "install the NVIDIA driver again and restart the machine")
    return Check("GPU", True, "; ".join(line.strip() for line in shown.splitlines()))


def check_engine() -> Check:
    """Check that a Docker engine answers, and whether it passes the GPU on where there is one."""
    from pipeline.platforms.local.containers import passes_gpus
    from pipeline.platforms.local.image import connect

    try:
        client = connect()
    except EvenfaceError:
        return Check("Docker", False, "no engine answers", "start Docker, or run docker/engine.sh as root")
    try:
        engine = client.info()
    finally:
        client.close()
    gpus = ""
    if shutil.which("nvidia-smi"):
        can = passes_gpus(engine)
        gpus = ", passes the GPU on" if can else ", sees no GPU until the NVIDIA Container Toolkit is installed"
    return Check("Docker", True, f"engine {engine['ServerVersion']}{gpus}")


def check_image(settings: "Settings", root: Path = _ROOT) -> Check:
    """Check that the engine holds the image for runs on this machine, built from this checkout."""
    from pipeline.platforms.local.image import check_current, connect, find_image

    reference = settings.platform.docker.image
    try:
        client = connect()
        try:
            image = find_image(client, reference)
        finally:
            client.close()
        check_current(image, root)
    except EvenfaceError as error:
        return _from_error("Image", error)
    return Check("Image", True, f"{reference}, {image.size_bytes / 1e9:.2f} GB, holds this checkout's sources")


def check_credentials() -> Check:
    """Look for Google's application default credentials; nothing about them but their kind is shown."""
    import google.auth
    from google.auth.exceptions import GoogleAuthError

    # The chain's last link asks the metadata server, which only Google's machines have.
    os.environ.setdefault("GCE_METADATA_TIMEOUT", "1")
    logging.getLogger("google.auth").setLevel(logging.ERROR)
    try:
        credentials, project = google.auth.default()
    except GoogleAuthError:
        cure = "run `gcloud auth application-default login`, or set GOOGLE_APPLICATION_CREDENTIALS"
        return Check("Google credentials", False, "none", cure)
    kind = type(credentials).__module__.removeprefix("google.")
    return Check("Google credentials", True, f"{kind}, project {project or 'unknown'}")


def check_bucket(uri: str) -> Check:
    """Check that a bucket can be listed, read and written, without writing to it.

    Args:
        uri: ``gs://bucket`` or anything below it.
    """
    import google.auth.exceptions
    from google.api_core.exceptions import GoogleAPICallError
    from google.cloud import storage

    name = GsUri.parse(uri).bucket
    wanted = {f"storage.objects.{verb}" for verb in ("list", "get", "create", "delete")}
    try:
        client = storage.Client()
        granted = client.bucket(name).test_iam_permissions(sorted(wanted), timeout=_PATIENCE_SECONDS, retry=None)
    except google.auth.exceptions.GoogleAuthError:
        return Check("Bucket", False, f"gs://{name}: no credentials", "run `gcloud auth application-default login`")
    except GoogleAPICallError as error:
        cure = "check its name, and ask its owner for the role Storage Object Admin"
        return Check("Bucket", False, f"gs://{name}: {error.code} {error.message}", cure)
    except (OSError, ValueError) as error:
        return Check("Bucket", False, f"gs://{name}: {type(error).__name__}", "check its name and the network")
    missing = ", ".join(sorted(permission.rsplit(".")[-1] for permission in wanted - set(granted)))
    finding = f"you may not {missing}" if missing else "you may list, read and write"
    return Check("Bucket", not missing, f"gs://{name}: {finding}", "ask its owner for the role Storage Object Admin")


def check_resources(settings: "Settings", target: Target) -> Check:
    """Check each stage's accelerators and machine against what a platform has."""
    name = f"{target.value.capitalize()} machines"
    try:
        load_platform(target, settings.resources, settings.platform).check()
    except EvenfaceError as error:
        return _from_error(name, error)
    asked = [
        f"{stage}: {resources.accelerator_count} × {ACCELERATORS[resources.accelerator].vertex}"
        for stage, resources in settings.resources.stages()
        if resources.accelerator
    ]
    return Check(name, True, ", ".join(asked) or "no accelerator asked for")


def check_platform(settings: "Settings", target: Target) -> Check:
    """Ask a platform's API for its schedules: that takes a network, an address, and credentials."""
    name = f"{target.value.capitalize()} API"
    vertex = settings.platform.vertex.model_copy(update={"retry_seconds": 0.0, "request_seconds": _PATIENCE_SECONDS})
    platform = settings.platform.model_copy(update={"vertex": vertex})
    try:
        schedules = load_platform(target, settings.resources, platform).list_schedules()
    except EvenfaceError as error:
        return _from_error(name, error)
    return Check(name, True, f"answers, {len(schedules)} schedules")


def _is_configured(settings: "Settings", target: Target) -> bool:
    if target is Target.VERTEX:
        return settings.platform.vertex.project is not None
    return bool(settings.platform.kubeflow.host or os.environ.get(_KUBEFLOW_HOST))


def _from_error(name: str, error: EvenfaceError) -> Check:
    """Split an error's sentence into what is wrong and the cure, which follows its last colon."""
    finding, colon, cure = str(error).rstrip(".").rpartition(": ")
    return Check(name, False, finding, cure) if colon else Check(name, False, cure)
