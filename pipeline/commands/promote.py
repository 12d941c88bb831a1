"""``evenface promote``, ``champion`` and ``rollback``: which model is served, and why."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.errors import ArtifactError, RequestError
from pipeline.commands.options import SettingsOptions, with_options
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    from components.evaluation.catalogue import Metric
    from components.registries.contract import Measurement, ModelFacts, PromotionRecord
    from components.registries.registry import Registry
    from pipeline.settings import Settings

Place = Annotated[
    str | None,
    typer.Option(
        "--registry",
        help="A folder, gs://BUCKET/FOLDER, mlflow+https://HOST or vertex://PROJECT/LOCATION.",
        show_default="promotion.registry",
    ),
]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be decided; change and record nothing.")]


@with_options
def promote(
    folder: Annotated[
        Path | None,
        typer.Argument(
            help="Folder of a run, or its folder recommended/.", show_default="the run in runs/ that finished last"
        ),
    ] = None,
    registry: Place = None,
    images: Annotated[
        Path | None, typer.Option(help="Folder of image shards of the test set.", show_default="the run's")
    ] = None,
    test: Annotated[Path | None, typer.Option(help="Manifest of the test set.", show_default="the run's")] = None,
    dry_run: DryRun = False,
    *,
    options: SettingsOptions,
) -> None:
    """Score a run's recommended model against the champion, on the run's test set, and promote it if it is better.

    A refusal is a decision like any other: it is recorded, and the exit code is 0. It is 1 if another promotion changed
    the champion in the meantime.
    """
    from pipeline.hooks import check_secret, notify

    settings = options.read()
    check_secret(settings.hooks)
    opened = _open(settings, registry)
    recommended = _find_recommended(folder)
    test_path = test or _find_test(recommended)
    images_path = images or _find_images(recommended, test_path)

    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from components.imports import without_notices

    with without_notices():
        from components.promote.promote import promote as decide
        from components.promote.serving import TestSetScorer

        scorer = TestSetScorer(str(images_path), str(test_path), settings.evaluate.batch_size)
        record = decide(opened, recommended, scorer, settings.promotion, dry_run=dry_run)
    show_decision(record, dry_run=dry_run)
    if record.is_switch and not dry_run:
        notify(settings.hooks, promotion_event(record, opened.place))


@with_options
def champion(registry: Place = None, *, options: SettingsOptions) -> None:
    """Show the champion, its numbers when it was promoted, and the last decisions."""
    opened = _open(options.read(), registry)
    current, history = opened.champion(), opened.history()
    if current is None:
        typer.echo(f"No champion in {opened.place}: promote a model with `evenface promote`.")
    else:
        named = next((each for each in reversed(history) if each.is_switch and each.version == current.number), None)
        typer.echo(f"Champion    version {current.number}, in {opened.place}")
        if named is not None:
            typer.echo(f"            since {named.time}, by {named.who}: {named.decision}")
            if (facts := _about(history, current.number)) is not None:
                seed = "" if facts.seed is None else f", seed {facts.seed}"
                typer.echo(
                    f"            {facts.row}{seed}; {facts.standing}, on {facts.seeds} seed(s); data "
                    f"{(facts.fingerprint or '')[:12]}"
                )
        _show_alias(opened, current.number)
    typer.echo(f"Versions    {', '.join(opened.versions()) or 'none'}")
    for position, record in enumerate(reversed(history[-10:])):
        typer.echo(f"{'Decisions' if position == 0 else '':12}{record.time}  {record.decision} ({record.case})")
        typer.echo(f"{'':12}  {record.reason}")


@with_options
def rollback(
    registry: Place = None,
    to: Annotated[
        str | None, typer.Option(help="Version to go back to.", show_default="the champion before this one")
    ] = None,
    dry_run: DryRun = False,
    *,
    options: SettingsOptions,
) -> None:
    """Make an earlier version the champion again, after its digests were verified."""
    from components.promote.promote import rollback as go_back
    from pipeline.hooks import check_secret, notify

    settings = options.read()
    check_secret(settings.hooks)
    opened = _open(settings, registry)
    record = go_back(opened, to, dry_run=dry_run)
    show_decision(record, dry_run=dry_run)
    if not dry_run:
        notify(settings.hooks, promotion_event(record, opened.place))


def promotion_event(record: "PromotionRecord", place: str) -> dict[str, Any]:
    """Return what a hook is told of a new champion."""
    told = record.model_dump(include={"version", "previous", "case", "reason", "who", "id"})
    return {"event": "model.promoted" if record.decision == "promoted" else "model.rolled_back", "registry": place} | {
        name: value for name, value in told.items() if value is not None
    }


def show_decision(record: "PromotionRecord", *, dry_run: bool = False) -> None:
    """Print a decision, its reason and the numbers behind it."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from components.evaluation.catalogue import CATALOGUE

    console = Console()
    # What is only told is in the record.
    if held := [each for each in record.measurements if each.role != "told"]:
        table = Table(
            title="On the same test faces",
            title_justify="left",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
            padding=(0, 0, 0, 1),
        )
        for column in ("metric", "new", "champion", "change", "interval", "asked", ""):
            table.add_column(column, justify="left" if column in {"metric", ""} else "right", no_wrap=True)
        for each in held:
            metric = CATALOGUE[each.metric]
            new, old, change, low, high = (
                _number(value, metric.decimals)
                for value in (each.challenger, each.champion, each.difference, each.low, each.high)
            )
            # On two lines, so that a table with every number is 80 columns wide.
            name = metric.phrase if each.scope == "overall" else f"{metric.phrase},\n worst group"
            met = {True: "met", False: "not met", None: ""}[each.holds]
            interval = "–" if each.low is None else f"{low} to {high}"
            table.add_row(name, new, old, change, interval, _asked(each, metric), met)
        console.print(table)
    would = "Would be " if dry_run else ""
    decision = f"{would}{record.decision}"
    version = f" as version {record.version}" if record.decision == "promoted" and not dry_run else ""
    line = f"{decision[0].upper()}{decision[1:]}{version} ({record.case}). {record.reason}."
    console.print(line, soft_wrap=True, highlight=False, markup=False)


def _asked(measurement: "Measurement", metric: "Metric") -> str:
    from components.evaluation.catalogue import Better

    limit = f"{measurement.limit:g}"
    if measurement.role == "floor":
        return f"{'≤' if metric.better is Better.LOWER else '≥'} {limit}"
    return f"gain {limit}" if measurement.role == "primary" else f"loss ≤ {limit}"


def _number(value: float | None, decimals: int) -> str:
    return "–" if value is None else f"{value:.{decimals}f}".replace("-", "−")


def _open(settings: "Settings", place: str | None) -> "Registry":
    from components.registries.registry import open_registry

    place = place or settings.promotion.registry
    if place is None:
        raise RequestError("No registry is known", remedy="pass --registry, or set promotion.registry")
    return open_registry(place, settings.promotion.name, settings.promotion.vertex)


def _find_recommended(folder: Path | None) -> Path:
    if folder is None:
        found = [RunFolder(path.parents[1]) for path in Path("runs").glob("*/recommended/recommended.json")]
        if not found:
            raise RequestError("No run in runs has a recommended model", remedy="name the folder of a run")
        return max(found, key=lambda run: run.comparison.stat().st_mtime).recommended
    for candidate in (folder, RunFolder(folder).recommended):
        if (candidate / "recommended.json").is_file():
            return candidate
    raise RequestError(
        f"{folder} is neither the folder of a finished run nor one with recommended.json", remedy="check the path"
    )


def _find_test(recommended: Path) -> Path:
    path = RunFolder(recommended.parent).data / "test.parquet"
    if not path.is_file():
        raise RequestError(
            f"{recommended} has no test set beside it",
            remedy="pass --test with a manifest and --images with the shards",
        )
    return path


def _find_images(recommended: Path, test: Path) -> Path:
    """Return the newest folder of shards in a run's own folder that holds the test faces."""
    from components.dataset.images import read_encoded
    from components.dataset.manifest import Manifest

    faces = Manifest.read(test)
    found = {shard.parent for shard in RunFolder(recommended.parent).state.glob("artifacts/**/*.parquet")}
    folders = [folder for folder in found if folder.name == "images"]
    for folder in sorted(folders, key=lambda path: path.stat().st_mtime, reverse=True):
        try:
            next(read_encoded(folder, faces))
        except ArtifactError:
            continue
        return folder
    raise RequestError(
        f"The images of the test set {test} are no longer in the run's folder", remedy="pass --images with their shards"
    )


def _about(history: list["PromotionRecord"], version: str) -> "ModelFacts | None":
    facts = (record.challenger for record in history if record.challenger is not None)
    return next((each for each in facts if each.version == version), None)


def _show_alias(registry: "Registry", champion: str) -> None:
    """Say so if the alias that endpoints follow is elsewhere: a promotion died before it moved it."""
    alias = getattr(registry, "alias", None)
    if alias is not None and (version := alias()) != champion:
        typer.echo(
            f"            The alias champion is at version {version or 'none'}: mend it with "
            f"`evenface rollback --to {champion}`."
        )
