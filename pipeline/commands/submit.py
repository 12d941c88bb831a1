"""``evenface submit``."""

import secrets
from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated

import typer

from components.errors import RequestError
from components.gs_uri import is_gs_uri
from pipeline.commands.compile import compiled_to_send
from pipeline.commands.options import Force, PipelineOptions, PlatformTarget, with_options

if TYPE_CHECKING:
    from components.sources.limits import SourceLimits
    from components.sources.source import Source


@with_options
def submit(
    target: PlatformTarget,
    options: PipelineOptions,
    source_fingerprint: Annotated[
        str | None,
        typer.Option(help="Identity of a source that only the stages can see; otherwise computed from the source."),
    ] = None,
    run_name: Annotated[
        str | None, typer.Option(help="Name of the run.", show_default="evenface-<preset>-<time>")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Follow the run to its end; exit with 1 if it fails.")] = False,
    estimate: Annotated[
        bool, typer.Option("--estimate", help="Print what the run will take, and send nothing.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print what would be sent, and send nothing.")] = False,
    force: Force = False,
) -> None:
    """Run the pipeline on Kubeflow or Vertex AI.

    Credentials come from the platform's own credential chain, never from the settings.
    """
    import yaml

    from pipeline.compiling import prepare_submission
    from pipeline.hooks import telling_of_failure
    from pipeline.news import anything_is_new, reference_of

    settings = options.read(options.source, image=options.image)
    faces = options.require_source(settings)
    if estimate:
        from pipeline.estimate.estimate import estimate_on

        estimate_on(target, faces, settings)
        return
    with compiled_to_send(settings, target, faces) as compiled:
        if source_fingerprint is None and dry_run and is_gs_uri(faces.name):
            # A preview needs no credentials, and only they open a bucket.
            source_fingerprint = "(computed from the bucket when it is sent)"
        fingerprint = source_fingerprint or _fingerprint(faces, settings.preprocess.limits)
        if not anything_is_new(settings, fingerprint, settings.platform.image, force=force):
            return
        name = run_name or _name_run(options.preset)
        known = {"source_fingerprint": fingerprint, **reference_of(settings)}
        submission = prepare_submission(settings, compiled, faces.name, name, **known)
        if dry_run:
            preview = yaml.safe_dump(compiled.platform.preview(submission), sort_keys=False, default_flow_style=False)
            typer.echo(preview.rstrip())
            typer.echo(f"package: {submission.package.stat().st_size} bytes of YAML, version {submission.version}")
        else:
            follow = telling_of_failure(settings.hooks, run=name, target=target.value) if wait else nullcontext()
            with follow:
                compiled.platform.submit(submission, typer.echo, wait=wait)


def _fingerprint(source: "Source", limits: "SourceLimits") -> str:
    if not source.is_visible_here:
        raise RequestError(
            f"The source {source.name} can't be seen from here",
            remedy="check --source, or pass --source-fingerprint for a path that only the stages can see",
        )
    return source.fingerprint(limits)


def _name_run(preset: str) -> str:
    # The random suffix tells apart runs that are submitted in the same second.
    return f"evenface-{preset}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"
