"""``evenface predict``: what a trained model says about some faces."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.errors import DataError, RequestError
from components.printable import printable
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
    from rich.text import Text

    from components.dataset.outputs import OUTPUTS
    from components.dataset.reasons import Fault
    from components.model.serving import ServedModel
    from components.preprocess.settings import PreprocessSettings
    from components.preprocess.verification import verify_image
    from components.sources.limits import SourceLimits
    from components.training.record import TrainingRecord

    limits, allowed = SourceLimits(), PreprocessSettings()
    labels = TrainingRecord.read(model).labels
    served = ServedModel(model)
    table = Table(box=box.SIMPLE_HEAD)
    for column in ("image", *OUTPUTS):
        table.add_column(column, overflow="fold")
    for image in images:
        content = _read(image, limits.max_file_megabytes)
        # What preprocess would not have trained on is not guessed at either; a face may be small, though.
        fault = verify_image(content, 1, allowed.max_pixels)
        if isinstance(fault, Fault):
            detail = f" ({fault.detail})" if fault.detail else ""
            raise DataError(f"{image} can't be used: {fault.reason}{detail}", remedy="give a sound JPEG or PNG")
        scores = served.predict([content], batch_size=1)
        words = (_in_words(output, scores[name][0], labels) for name, output in OUTPUTS.items())
        # As text, not as markup: brackets in a name are part of it.
        table.add_row(*(Text(cell) for cell in (printable(str(image)), *words)))
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


def _read(image: Path, max_megabytes: float) -> bytes:
    try:
        with image.open("rb") as file:
            content = file.read(int(max_megabytes * 2**20) + 1)
    except OSError as error:
        raise RequestError(f"{image} can't be read ({error.strerror})", remedy="let this user read it") from None
    if len(content) > max_megabytes * 2**20:
        raise DataError(f"{image} has more than {max_megabytes:g} MB", remedy="give a smaller picture")
    return content


def _in_words(output: "Output", score: Any, labels: "Labels") -> str:
    """Return one output of a model as text for people."""
    from components.dataset.outputs import Kind

    if output.kind is Kind.REGRESSION:
        return f"{score:.1f} {labels.age_unit}"
    names = labels.names(output.name)
    if output.kind is Kind.BINARY:
        return f"{names[int(score >= 0.5)]} ({max(score, 1 - score):.0%})"
    shares = sorted(zip(score, names, strict=True), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.01)
