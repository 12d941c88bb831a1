"""What the tests of Vertex AI share: settings that point at the loopback, and the pipeline compiled for it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from kfp import compiler

from pipeline.definition import build_pipeline
from pipeline.platforms.resources import ResourcesSettings
from pipeline.platforms.settings import SharedSettings
from pipeline.platforms.submission import Submission
from pipeline.platforms.vertex.platform import VertexPlatform
from pipeline.platforms.vertex.settings import VertexSettings
from pipeline.settings import load_settings
from tests.pipeline.platforms.vertex.vertex_server import VertexServer

IMAGE = f"europe-west4-docker.pkg.dev/faces/evenface/evenface@sha256:{'0' * 64}"


def platform(
    server: VertexServer | None = None,
    resources: dict[str, Any] | None = None,
    shared: dict[str, Any] | None = None,
    **vertex: Any,
) -> VertexPlatform:
    """Return the platform with settings of which the tests name the interesting ones."""
    where = {"project": "faces", "location": "europe-west4", "poll_seconds": 0.02, "retry_seconds": 10}
    if server is not None:
        where["api_endpoint"] = server.url
    return VertexPlatform(
        ResourcesSettings.model_validate(resources or {}),
        SharedSettings.model_validate({"image": IMAGE} | (shared or {})),
        VertexSettings.model_validate(where | vertex),
    )


def compiled(target: Path, vertex: VertexPlatform | None = None) -> Path:
    """Compile the whole pipeline for Vertex AI."""
    pipeline = build_pipeline(load_settings("poc"), IMAGE, (vertex or platform()).configure)
    compiler.Compiler().compile(pipeline, str(target))
    return target


def submission(package: Path, **changes: Any) -> Submission:
    """Return a submission of a compiled pipeline."""
    plain = Submission(
        package=package,
        parameters={"source": "gs://faces/utkface", "source_fingerprint": "1f2e"},
        run_name="evenface-weekly-20260105",
        experiment="Bake-off",
        pipeline_root="gs://faces-artifacts/evenface",
    )
    return replace(plain, **changes)
