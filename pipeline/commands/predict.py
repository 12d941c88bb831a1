"""``evenface predict``: what a trained model says of some faces."""

import os
from pathlib import Path
from typing import Annotated

import typer

from components.errors import ArtifactError, RequestError


def predict(
    images: Annotated[list[Path], typer.Argument(help="JPEG or PNG files, one face each.")],
    model: Annotated[Path, typer.Option(help="SavedModel directory of a run.")],
) -> None:
    """Predict age, gender and ethnicity of faces with a trained model."""
    missing = [str(image) for image in images if not image.is_file()]
    if missing:
        raise RequestError(f"{missing[0]} is not a file", remedy="check the paths of the images")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    import tensorflow as tf
    from rich import box
    from rich.console import Console
    from rich.table import Table

    from components.model.artifact import read_variant
    from components.model.serving import ServedModel

    labels = read_variant(model)["labels"]
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
        gender = labels["genders"][int(female >= 0.5)]
        shares = sorted(zip(scores["ethnicity"][0], labels["ethnicities"], strict=True), reverse=True)
        table.add_row(
            str(image),
            f"{float(scores['age'][0]):.1f}",
            f"{gender} ({max(female, 1 - female):.0%})",
            ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.01),
        )
    Console().print(table)
