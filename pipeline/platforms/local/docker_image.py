"""The image that stages run in, and whether it holds the checkout's sources."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

from docker.client import DockerClient, from_env
from docker.errors import DockerException, ImageNotFound

from components.errors import RequestError

SOURCES_LABEL = "evenface.sources"
TARGET_LABEL = "evenface.target"

_ROOT = Path(__file__).resolve().parents[3]


@dataclass(frozen=True)
class DockerImage:
    """An image that the engine holds.

    Attributes:
        reference: The name that it was looked up by.
        id: Identity of its content, ``sha256:…``.
        target: The Dockerfile's target it was built from, or None where the label is missing.
        sources: Digest of the sources it was built from, or None where the label is missing.
        size_bytes: Size of all its layers.
    """

    reference: str
    id: str
    target: str | None
    sources: str | None
    size_bytes: int


def connect() -> DockerClient:
    """Return a client of this machine's Docker engine.

    Raises:
        RequestError: If no engine answers.
    """
    try:
        return from_env()
    except DockerException as error:
        reason = " ".join(str(error).split())
        raise RequestError(
            f"No Docker engine answers ({reason})", remedy="start Docker, or use --runner subprocess, which needs none"
        ) from None


def find_image(client: DockerClient, reference: str) -> DockerImage:
    """Look an image up in the engine.

    A missing image is not pulled: a short name such as the default would fetch a stranger's image.

    Raises:
        RequestError: If the engine does not hold it.
    """
    try:
        image = client.images.get(reference)
    except ImageNotFound:
        raise RequestError(
            f"Docker has no image '{reference}'",
            remedy="build it with `make image`, or pull it and name it with --image",
        ) from None
    except DockerException as error:
        raise RequestError(f"'{reference}' can't be looked up ({error})", remedy="check --image") from None
    labels = image.labels
    return DockerImage(
        reference=reference,
        id=str(image.id),
        target=labels.get(TARGET_LABEL),
        sources=labels.get(SOURCES_LABEL),
        size_bytes=int(image.attrs["Size"]),
    )


def check_current(image: DockerImage, root: Path = _ROOT) -> None:
    """Refuse an image that was built from sources other than the checkout's.

    Args:
        image: The image.
        root: The checkout. Where it has no Dockerfile, evenface was installed as a package, and there
            is nothing to compare with.

    Raises:
        RequestError: If the image is stale, or does not say what it was built from.
    """
    if not (root / "docker" / "Dockerfile").is_file():
        return
    if image.target is None or image.sources is None:
        raise RequestError(
            f"The image '{image.reference}' does not say which sources it holds", remedy="build it with `make image`"
        )
    if image.sources != sources_digest(image.target, root):
        raise RequestError(
            f"The image '{image.reference}' was built from sources other than this checkout's",
            remedy="build it again with `make image`",
        )


def sources_digest(target: str, root: Path = _ROOT) -> str:
    """Identify what an image of this checkout is made of.

    ``docker/build.sh`` computes the same digest with ``sha256sum``: the digest of the list of the
    files' digests and names.

    Args:
        target: ``cpu`` or ``gpu``.
        root: The checkout.

    Returns:
        16 hexadecimal digits.
    """
    recipe = ("docker/Dockerfile", "docker/install.sh", "docker/pin-debian.sh", f"docker/requirements-{target}.txt")
    files = [root / name for name in recipe if (root / name).is_file()]
    for package in ("components", "pipeline"):
        files += [file for file in (root / package).rglob("*") if file.is_file() and _is_source(file, root)]
    names = sorted(file.relative_to(root).as_posix().encode() for file in files)
    listing = hashlib.sha256()
    for name in names:
        content = hashlib.sha256((root / name.decode()).read_bytes()).hexdigest()
        listing.update(f"{content}  ".encode() + name + b"\n")
    return listing.hexdigest()[:16]


def _is_source(file: Path, root: Path) -> bool:
    parts = file.relative_to(root).parts
    return "__pycache__" not in parts and not any(part.startswith(".") for part in parts)
