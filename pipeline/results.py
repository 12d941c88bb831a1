"""What a finished run shows on the command line."""

import os
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from components.errors import ArtifactError
from components.files import read_json
from pipeline.platforms.local.run import RunFolder

_console = Console()


def print_results(comparison: dict[str, Any], folder: RunFolder, seconds: float) -> None:
    """Print what became of the data, one row per variant, the recommendation and the paths.

    Args:
        comparison: The run's ``comparison.json``.
        folder: The run's folder.
        seconds: How long the pipeline took.
    """
    data = comparison["dataset"]
    _console.print(_steps_table(data))
    _console.print(
        f"Faces: {data['train']:,} train, {data['validation']:,} validation, {data['test']:,} test; "
        f"{data['rejected']:,} files not used{_reasons(data.get('rejects') or {})}."
    )
    _console.print(_results_table(comparison))
    _console.print(_recall_table(comparison))
    recommended = comparison["recommended"]
    _console.print(
        f"Recommended: [bold]{recommended['variant'] or 'none'}[/bold]. {recommended['because']}", highlight=False
    )
    _console.print(f"\nThe pipeline took {seconds:.0f} s.", highlight=False)
    for name, path in (
        ("Report", folder.report),
        ("Comparison", folder.comparison),
        ("Models", folder.models / "<variant>" / "<seed>"),
        ("Data", folder.data),
        ("Log", folder.log),
    ):
        # A path is never wrapped: it is there to be copied.
        _console.print(f"{name:<11} {path}", soft_wrap=True, highlight=False, markup=False)


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, padding=(0, 0, 0, 1))


def _steps_table(data: dict[str, Any]) -> Table:
    table = _table("What became of the files")
    table.add_column("step")
    table.add_column("removed", justify="right")
    table.add_column("left", justify="right")
    table.add_column("why")
    for step in data.get("steps") or []:
        table.add_row(str(step["step"]), f"{step['removed']:,}", f"{step['faces']:,}", str(step["why"]))
    return table


def _reasons(rejects: dict[str, Any]) -> str:
    shown = ", ".join(f"{count} {reason}" for reason, count in rejects.items() if isinstance(count, int) and count)
    return f" ({shown})" if shown else ""


def _results_table(comparison: dict[str, Any]) -> Table:
    """Return the three headline metrics with their intervals: narrow enough for 80 columns."""
    table = _table("Results on the balanced test set, with 95 % intervals")
    table.add_column("variant", no_wrap=True)
    for name in ("age MAE, years", "gender accuracy", "ethnicity F1"):
        table.add_column(name, justify="right", no_wrap=True)
    rows = comparison["variants"] | comparison.get("posthoc", {}) | {"constant": comparison["floor"]}
    for name, row in rows.items():
        numbers = [_interval(row["age_mae"], 1), _interval(row["gender_accuracy"], 2)]
        style = "dim" if name == "constant" else None
        table.add_row(name, *numbers, _interval(row["ethnicity_macro_f1"], 2), style=style)
    return table


def _recall_table(comparison: dict[str, Any]) -> Table:
    """Return the recall of each ethnicity, and what the training took."""
    table = _table("Recall by ethnicity, and training")
    table.add_column("variant", no_wrap=True)
    labels = list(next(iter(comparison["variants"].values()))["ethnicity_recall"])
    for name in (*labels, "seeds", "seconds"):
        table.add_column(name, justify="right", no_wrap=True)
    for name, row in comparison["variants"].items():
        recalls = [f"{row['ethnicity_recall'][label]:.2f}" for label in labels]
        table.add_row(name, *recalls, str(len(row["seeds"])), f"{row['train_seconds']:.0f}")
    for name, row in comparison.get("posthoc", {}).items():
        table.add_row(name, *[f"{row['ethnicity_recall'][label]:.2f}" for label in labels], str(len(row["seeds"])), "–")
    return table


def _interval(number: dict[str, float | None], digits: int) -> str:
    value, low, high = (number[key] for key in ("value", "low", "high"))
    if value is None:
        return "–"
    if low is None or high is None:
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} ({low:.{digits}f}–{high:.{digits}f})"


def print_variants() -> None:
    """Print every variant of the registry: its cures in a row, and below it its title, source and parameters."""
    from components.imbalance.registry import SLOTS
    from components.imbalance.settings import list_variants

    rows = list_variants()
    columns = ("name", *SLOTS)
    widths = {column: max(len(row[column]) for row in [*rows, {column: column}]) for column in columns}

    def line(cells: dict[str, str]) -> str:
        return "  ".join(f"{cells[column]:<{widths[column]}}" for column in columns).rstrip()

    _console.print(line({column: column for column in columns}), style="bold", soft_wrap=True, highlight=False)
    for row in rows:
        _console.print(line(row), soft_wrap=True, highlight=False, markup=False)
        for text in (f"{row['title']}; source: {row['source']}", row["settings"]):
            if text:
                _console.print(Padding(Text(text, style="dim"), (0, 0, 0, 4)))


def print_predictions(images: list[Path], model: Path) -> None:
    """Score images with a SavedModel and print one row each.

    Args:
        images: JPEG or PNG files.
        model: SavedModel directory that the train stage wrote.

    Raises:
        ArtifactError: If the directory is no such model, or a file is no JPEG or PNG.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf

    from components.model.serving import ServedModel
    from components.training.record import TrainingRecord

    labels = TrainingRecord.read(model).labels
    served = ServedModel(model)
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("image", "age (years)", "gender", "ethnicity"):
        table.add_column(column, overflow="fold")
    for image in images:
        try:
            scores = served.predict([image.read_bytes()], batch_size=1)
        except tf.errors.InvalidArgumentError:
            raise ArtifactError(f"{image} is neither JPEG nor PNG", remedy="convert it, or leave it out") from None
        female = float(scores["gender"][0])
        gender = labels.genders[int(female >= 0.5)]
        shares = sorted(zip(scores["ethnicity"][0], labels.ethnicities, strict=True), reverse=True)
        table.add_row(
            str(image),
            f"{float(scores['age'][0]):.1f}",
            f"{gender} ({max(female, 1 - female):.0%})",
            ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.01),
        )
    _console.print(table)


def rebuild_report(folder: RunFolder) -> None:
    """Write a run's report anew from the run's own files.

    Args:
        folder: Folder of a finished run.

    Raises:
        ArtifactError: If the folder does not hold a finished run.
    """
    from components.compare.compare import rebuild

    comparison = read_json(folder.comparison)
    if "variants" not in comparison:
        raise ArtifactError(f"{folder.comparison} is no comparison", remedy="give the folder of a finished run")
    rebuild(comparison, folder.data, folder.models, folder.predictions, folder.report, folder.summary)
