"""What this machine can do for a run, in processes and in containers."""

import os
import re
import shutil
import subprocess
import sys
from contextlib import closing
from importlib import metadata
from pathlib import Path

from components.errors import EvenfaceError
from pipeline.platforms.checks import PATIENCE_SECONDS, Check
from pipeline.platforms.local.settings import DockerSettings

_ROOT = Path(__file__).resolve().parents[3]
_PYTHONS = ((3, 11), (3, 12))
_MEMORY_GB = 4.0
_DISK_GB = 5.0
_LOCKED = re.compile(r"^([A-Za-z0-9._-]+)==([^ ;\\]+)", re.MULTILINE)


def machine_checks() -> list[Check]:
    """Check what every run on this machine needs, and look for a GPU."""
    return [check_libraries(), check_memory(), check_disk(Path.cwd()), check_gpu()]


def docker_checks(settings: DockerSettings) -> list[Check]:
    """Check what a run in containers needs in addition."""
    return [check_engine(), Check.attempt("Image", lambda: _describe_image(settings.image))]


def check_python() -> Check:
    """Check the version of Python."""
    version = sys.version.split()[0]
    remedy = "install Python 3.11 or 3.12 and run `make install` with PYTHON=python3.11"
    return Check("Python", sys.version_info[:2] in _PYTHONS, version, remedy)


def check_libraries(root: Path = _ROOT) -> Check:
    """Compare the installed libraries with a lock file of the checkout; nothing is imported.

    The lock with the fewest differences counts: which one was installed depends on whether there is a GPU.
    """
    locks = sorted(root.glob("docker/requirements-[cg]pu.txt"))
    if not locks:
        return Check("Libraries", True, "no lock file here: evenface was installed as a package")
    compared = [_differences(_LOCKED.findall(lock.read_text(encoding="utf-8"))) for lock in locks]
    differences, wanted = min(compared, key=lambda comparison: len(comparison[0]))
    shown = ", ".join(differences[:3]) + (f" and {len(differences) - 3} more" if len(differences) > 3 else "")
    finding = shown or f"all {wanted} as locked, TensorFlow {_installed('tensorflow-cpu') or _installed('tensorflow')}"
    return Check("Libraries", not differences, finding, "run `make install`")


def _differences(locked: list[tuple[str, str]]) -> tuple[list[str], int]:
    compared = [(name, wanted, _installed(name)) for name, wanted in locked]
    differing = [f"{name} {have or 'missing'}, not {wanted}" for name, wanted, have in compared if have != wanted]
    return differing, len(locked)


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def check_memory() -> Check:
    """Check the machine's memory."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1e9
    remedy = f"use a machine with {_MEMORY_GB:g} GB or more"
    return Check("Memory", total >= _MEMORY_GB, f"{total:.1f} GB, {os.cpu_count()} processors", remedy)


def check_disk(directory: Path) -> Check:
    """Check the free space where runs are written."""
    free = shutil.disk_usage(directory).free / 1e9
    remedy = f"free {_DISK_GB:g} GB, or write elsewhere with --output"
    return Check("Disk", free >= _DISK_GB, f"{free:.0f} GB free in {directory}", remedy)


def check_gpu() -> Check:
    """Look for an NVIDIA GPU and its driver; a run can do without."""
    program = shutil.which("nvidia-smi")
    if program is None:
        remedy = "none is needed, but training takes longer without one"
        return Check("GPU", False, "none (no nvidia-smi)", remedy, required=False)
    query = [program, "--query-gpu=name,memory.total,driver_version", "--format=csv,noheader"]
    try:
        shown = subprocess.run(query, capture_output=True, text=True, timeout=PATIENCE_SECONDS, check=True).stdout  # noqa: S603 - a fixed command
    except (subprocess.SubprocessError, OSError):
        remedy = "install the NVIDIA driver again and restart the machine"
        return Check("GPU", False, "nvidia-smi fails", remedy, required=False)
    return Check("GPU", True, "; ".join(line.strip() for line in shown.splitlines()), required=False)


def check_engine() -> Check:
    """Check that a Docker engine answers, and whether it passes the GPU through where there is one."""
    from pipeline.platforms.local.docker_executor import passes_gpus
    from pipeline.platforms.local.docker_image import connect

    try:
        with closing(connect()) as client:
            engine = client.info()
    except EvenfaceError:
        return Check("Docker", False, "no engine answers", "start Docker, or run docker/engine.sh as root")
    gpus = ""
    if shutil.which("nvidia-smi"):
        can = passes_gpus(engine)
        gpus = ", passes the GPU through" if can else ", sees no GPU until the NVIDIA Container Toolkit is installed"
    return Check("Docker", True, f"engine {engine['ServerVersion']}{gpus}")


def _describe_image(reference: str) -> str:
    from pipeline.platforms.local.docker_image import check_current, connect, find_image

    with closing(connect()) as client:
        image = find_image(client, reference)
    check_current(image)
    return f"{reference}, {image.size_bytes / 1e9:.2f} GB, holds this checkout's sources"
