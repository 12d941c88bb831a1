"""``evenface predict``: what a trained model says about some faces."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.errors import ArtifactError, RequestError
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    from components.dataset.labels import Labels
    from components.dataset.outputs import Output


def predict(
    images: Annotated[list[Path], typer.Argument(help="JPEG or PNG files, one face each.")],
    model: Annotated[
        Path | None,
        typer.Option(help="SavedModel directory of a run.", show_default="what the last run in runs/ recommends"),
    ] = None,
) -> None:
    """Predict age, gender and ethnicity of faces with a trained model."""
    missing = [str(image) for image in images if not image.is_file()]
    if missing:
        raise RequestError(f"{missing[0]} is not a file", remedy="check the paths of the images")
    model = model or newest_recommended(Path("runs"))
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from components.dataset.outputs import OUTPUTS
    from components.model.serving import ServedModel
    from components.training.record import TrainingRecord

    labels = TrainingRecord.read(model).labels
    served = ServedModel(model)
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("image", *OUTPUTS):
        table.add_column(column, overflow="fold")
    for image in images:
        try:
            scores = served.predict([image.read_bytes()], batch_size=1)
        except ArtifactError as error:
            raise ArtifactError(f"{image} is neither JPEG nor PNG", remedy=error.remedy) from None
        table.add_row(str(image), *(_in_words(output, scores[name][0], labels) for name, output in OUTPUTS.items()))
    console = Console()
    console.print(table)
    console.print(f"By the model {model}", soft_wrap=True, highlight=False, markup=False)


def newest_recommended(runs: Path) -> Path:
    """Return the recommended model of the run that finished last.

    Args:
        runs: Folder of the runs' folders.

    Raises:
        RequestError: If no run there has one.
    """
    folders = [RunFolder(path.parents[1]) for path in runs.glob("*/recommended/saved_model.pb")]
    if not folders:
        raise RequestError(f"No run in {runs} recommends a model", remedy="name one with --model")
    return max(folders, key=lambda folder: folder.comparison.stat().st_mtime).recommended


def _in_words(output: "Output", score: Any, labels: "Labels") -> str:
    """Return one output of a model as text for people."""
    from components.dataset.outputs import Kind

    if output.kind is Kind.REGRESSION:
        return f"{score:.1f} years"
    names = labels.names(output.name)
    if output.kind is Kind.BINARY:
        return f"{names[int(score >= 0.5)]} ({max(score, 1 - score):.0%})"
    shares = sorted(zip(score, names, strict=True), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.01)
