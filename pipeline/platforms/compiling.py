"""Compiling the pipeline for a platform, without its network and without TensorFlow."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from kfp.compiler import Compiler

from components.errors import RequestError
from components.files import atomic_path
from pipeline.definition import build_pipeline
from pipeline.fingerprint import SYNTHETIC
from pipeline.platforms.submission import PlatformError, Submission, Target, load_platform
from pipeline.settings import Settings

_IMAGE = re.compile(
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:\w[\w.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        path: The YAML.
        target: Where it runs.
        image: Container image of every stage.
        pinned: Whether the image is named by its digest.
        notes: What the platform ignores, translates or can't promise, a sentence each.
    """

    path: Path
    target: Target
    image: str
    pinned: bool
    notes: list[str]


def compile_pipeline(settings: Settings, target: Target, output: Path) -> Compiled:
    """Compile the pipeline for a platform.

    Args:
        settings: What every stage is told; its sections `resources` and `platform` are put into
            the platform's words.
        target: Where it will run.
        output: YAML to write.

    Returns:
        What was written, and what the user should know about it.

    Raises:
        RequestError: For settings that the platform can't fulfil, or an image that is no reference.
    """
    if output.suffix not in {".yaml", ".yml"}:
        raise RequestError(f"{output} is not the name of a YAML file", remedy="let --output end in .yaml")
    image = settings.platform.image
    reference = _IMAGE.fullmatch(image)
    if reference is None:
        raise RequestError(
            f"'{image}' is not an image reference",
            remedy="write REGISTRY/NAME:TAG or, better, REGISTRY/NAME@sha256:DIGEST",
        )
    platform = load_platform(target, settings.resources, settings.platform)
    notes = platform.check()
    pipeline = build_pipeline(settings, image, platform.configure)
    with atomic_path(output) as draft:
        Compiler().compile(pipeline, str(draft))
        if target is Target.VERTEX:
            _check_single_document(draft)
    pinned = reference["digest"] is not None
    if not pinned:
        notes.insert(0, "The image is not pinned by its digest, so caches can't tell when it changes: pass --image.")
    return Compiled(output, target, image, pinned, notes)


def prepare_submission(
    settings: Settings, compiled: Compiled, source: str, source_fingerprint: str, run_name: str
) -> Submission:
    """Put a compiled pipeline together with what it is run on.

    Args:
        settings: The settings that it was compiled with.
        compiled: The pipeline.
        source: Where the stages find the faces.
        source_fingerprint: Identity of the source's content.
        run_name: Display name of the run.
    """
    root = settings.platform.pipeline_root
    # A search is found again by its data and settings, so that all runs can share one place.
    state = f"{root.rstrip('/')}/searches" if root and root.startswith("gs://") else ""
    parameters: dict[str, Any] = {"source": source, "source_fingerprint": source_fingerprint, "state": state}
    return Submission(compiled.path, parameters, run_name, settings.platform.experiment, root)


def source_note(source: str, target: Target) -> str | None:
    """Return a sentence about a source that the stages may not find, or None."""
    if source == SYNTHETIC or source.startswith("gs://"):
        return None
    return f"{source} is a path: the stages on {target} find it only if it is mounted there under the same name."


def _check_single_document(path: Path) -> None:
    documents = len(list(yaml.safe_load_all(path.read_text(encoding="utf-8"))))
    if documents != 1:
        raise PlatformError(
            f"The compiled pipeline has {documents} YAML documents and Vertex AI reads one",
            remedy="remove what the pipeline's definition says about Kubernetes",
        )
