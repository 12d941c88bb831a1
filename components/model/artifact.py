"""What a model directory holds beside the SavedModel; reading it needs no TensorFlow."""

import os
from pathlib import Path
from typing import Any

from components.files import read_json

VARIANT_FILE = "variant.json"
"""How the model was made."""

HISTORY_FILE = "history.parquet"
"""Losses and metrics, one row per epoch."""


def read_variant(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what a model directory's ``variant.json`` says of how the model was made.

    Raises:
        ArtifactError: If the file is missing or damaged.
    """
    content: dict[str, Any] = read_json(Path(path) / VARIANT_FILE)
    return content
