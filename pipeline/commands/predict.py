"""``evenface predict``: what a trained model says about some faces."""

import csv
import json
import sys
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from components.errors import DataError, RequestError
from components.printable import printable
from pipeline.predictions import Prediction, check_model, find_pictures, newest_recommended, predict_pictures

if TYPE_CHECKING:
    from components.dataset.labels import Labels


class Format(StrEnum):
    """How predictions are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def predict(
    images: Annotated[
        list[str],
        typer.Argument(help="JPEG or PNG files of one face each, folders, patterns, or - for paths on standard input."),
    ],
    model: Annotated[
        Path | None,
        typer.Option(help="SavedModel directory of a run.", show_default="what the last run in runs/ recommends"),
    ] = None,
    output: Annotated[
        Format, typer.Option("--format", help="For people, a JSON array of one object a picture, or CSV.")
    ] = Format.TABLE,
) -> None:
    """Predict age, gender and ethnicity of faces with a trained model.

    A picture that can't be used is named on standard error, and the others go on; the exit code is then 1.
    """
    model = model or newest_recommended(Path("runs"))
    labels = check_model(model)
    pictures = list(find_pictures(images, sys.stdin))
    if not pictures:
        raise RequestError("There is no picture", remedy="give JPEG or PNG files, or a folder of some")
    if not any(Path(picture).is_file() for picture in pictures):
        raise RequestError(f"{printable(pictures[0])} is not a file", remedy="check the paths of the images")
    failed = 0

    def used(predictions: Iterator[Prediction]) -> Iterator[Prediction]:
        nonlocal failed
        for prediction in predictions:
            if prediction.problem is not None:
                failed += 1
                typer.echo(f"{printable(prediction.image)} can't be used: {prediction.problem}", err=True)
            yield prediction

    predictions = used(predict_pictures(model, pictures, labels))
    {Format.TABLE: _show_table, Format.JSON: _show_json, Format.CSV: _show_csv}[output](predictions, labels)
    if output is Format.TABLE:
        typer.echo(f"By the model {model}")
    if failed:
        raise DataError(f"{failed} of {len(pictures)} pictures can't be used", remedy="give sound JPEG or PNG files")


def _show_table(predictions: Iterator[Prediction], labels: "Labels") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD)
    for column in ("image", *labels.outputs):
        table.add_column(column, overflow="fold")
    for prediction in predictions:
        if prediction.problem is None:
            words = (_in_words(prediction.scores[name], labels.age_unit) for name in labels.outputs)
            # As text, not as markup: brackets in a name are part of it.
            table.add_row(*(Text(cell) for cell in (printable(prediction.image), *words)))
    if table.row_count:
        Console().print(table)


def _show_json(predictions: Iterator[Prediction], labels: "Labels") -> None:
    del labels
    sys.stdout.write("[")
    for number, prediction in enumerate(predictions):
        sys.stdout.write(",\n " if number else "\n ")
        sys.stdout.write(json.dumps(prediction.to_json()))
    sys.stdout.write("\n]\n")


def _show_csv(predictions: Iterator[Prediction], labels: "Labels") -> None:
    shares = {name: [f"{name}_{label}" for label in labels.names(name)] for name in labels.classified}
    columns = [column for name in labels.outputs for column in (name, *shares.get(name, ()))]
    rows = csv.DictWriter(sys.stdout, ["image", *columns, "problem"], lineterminator="\n")
    rows.writeheader()
    for prediction in predictions:
        rows.writerow(prediction.to_json())


def _in_words(score: Any, age_unit: str) -> str:
    """Return one output of a model as text for people."""
    if not isinstance(score, dict):
        return f"{score:.1f} {age_unit}"
    shares = sorted(((share, name) for name, share in score.items()), reverse=True)
    if len(shares) == 2:
        return f"{shares[0][1]} ({shares[0][0]:.0%})"
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.01)
