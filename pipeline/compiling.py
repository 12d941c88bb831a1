"""Compiling the pipeline for a platform, without connecting to it and without TensorFlow."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kfp.compiler import Compiler

from components.errors import RequestError
from components.files import atomic_path
from components.gs_uri import is_gs_uri
from components.registries.registry import is_local
from pipeline.definition import build_pipeline, sections_of
from pipeline.package_numbers import restore_integers
from pipeline.platforms.resources import ACCELERATOR_COUNTS
from pipeline.platforms.submission import Platform, Submission
from pipeline.platforms.targets import Target, ignored_settings, load_platform
from pipeline.settings import Settings

_IMAGE = re.compile(
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*(:\w[\w.-]{0,127})?(?P<digest>@sha256:[0-9a-f]{64})?"
)


@dataclass(frozen=True)
class Compiled:
    """A compiled pipeline.

    Attributes:
        path: The YAML file.
        platform: Where it runs.
        pinned: Whether the stages' image is named by its digest.
        notes: What the platform ignores, translates or can't promise, one sentence each.
    """

    path: Path
    platform: Platform
    pinned: bool
    notes: list[str]


def compile_pipeline(settings: Settings, target: Target, output: Path, *, scheduled: bool = False) -> Compiled:
    """Compile the pipeline for a platform, for one run or for a schedule's.

    Raises:
        RequestError: For settings that the platform can't fulfil, or an invalid image reference.
    """
    if output.suffix not in {".yaml", ".yml"}:
        raise RequestError(f"{output} is not the name of a YAML file", remedy="give --output a name that ends in .yaml")
    image = settings.platform.image
    reference = _IMAGE.fullmatch(image)
    if reference is None:
        raise RequestError(
            f"'{image}' is not an image reference",
            remedy="write REGISTRY/NAME:TAG or, better, REGISTRY/NAME@sha256:DIGEST",
        )
    _check_parallel_trials(settings)
    _check_registry(settings)
    platform = load_platform(target, settings.resources, settings.platform, settings.mlflow_uris())
    notes = platform.notes()
    if ignored := ignored_settings(target, settings.platform):
        notes.insert(0, f"{target.capitalize()} ignores {', '.join(ignored)}.")
    pinned = reference["digest"] is not None
    if not pinned:
        notes.insert(0, "The image is not pinned by its digest, so caches can't tell when it changes: pass --image.")
    pipeline = build_pipeline(settings, image, platform.configure, scheduled=scheduled)
    with atomic_path(output) as draft:
        Compiler().compile(pipeline, str(draft))
        restore_integers(draft, _given(settings))
    return Compiled(output, platform, pinned, notes)


def _given(settings: Settings) -> list[Any]:
    """Return the values with whole numbers that a package repeats."""
    factors = [stage.retry_backoff_factor for _, stage in settings.resources.stages()]
    sections = sections_of(settings)
    return [*sections.values(), sections["preprocess"]["table"], settings.runs(), settings.preprocess.parts, *factors]


def _check_parallel_trials(settings: Settings) -> None:
    """Check that every parallel trial has a GPU of its own where trials have GPUs at all."""
    trials, given = settings.tune.parallel_trials, settings.resources.tune
    if given.accelerator is None or trials <= given.accelerator_count:
        return
    enough = next((count for count in ACCELERATOR_COUNTS if count >= trials), None)
    more = "lower it" if enough is None else f"set resources.tune.accelerator_count to {enough}"
    raise RequestError(
        f"The setting tune.parallel_trials is {trials}, but resources.tune.accelerator_count is "
        f"{given.accelerator_count}, and each trial needs a GPU of its own",
        remedy=f"{more}, or resources.tune.accelerator to null where there are no GPUs",
    )


def _check_registry(settings: Settings) -> None:
    """Check that a stage on a cluster can reach the registry."""
    place = settings.promotion.registry
    if place is not None and is_local(place):
        raise RequestError(
            f"The registry {place} is a folder, which the stages on a cluster don't see",
            remedy="set promotion.registry to gs://BUCKET/FOLDER, mlflow+https://HOST or vertex://PROJECT/LOCATION",
        )


def prepare_submission(settings: Settings, compiled: Compiled, source: str, run_name: str, **known: Any) -> Submission:
    """Combine a compiled pipeline with what it is run on; ``known`` are further values of its parameters."""
    root = settings.platform.pipeline_root
    # A search is found again by its data and settings, so all runs can share one place.
    state = f"{root.rstrip('/')}/searches" if root and is_gs_uri(root) else ""
    parameters: dict[str, Any] = {"source": source, "state": state, **known}
    return Submission(compiled.path, parameters, run_name, settings.platform.experiment, root)
