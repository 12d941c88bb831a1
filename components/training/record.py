"""``variant.json``: how a model was made, written beside the SavedModel for every later stage."""

import os
from pathlib import Path
from typing import Literal, Self

from components.contract import Contract
from components.dataset.labels import Labels
from components.imbalance.statistics import Statistics
from components.model.settings import Hyperparameters
from components.training.recipe import Recipe

VARIANT_FILE = "variant.json"
"""How the model was made: the record."""

HISTORY_FILE = "history.parquet"
"""Losses and metrics, one row per epoch."""


class TrainingRecord(Contract):
    """How one model was made."""

    variant: str
    """Name of the variant."""
    seed: int
    """Seed of the training."""
    title: str
    """The variant's display name."""
    source: str
    """Where its method comes from."""
    cures: dict[str, tuple[str, ...]]
    """Names of its cures, for each output and the resampling."""
    hyperparameters: Hyperparameters
    """What tuning chose."""
    labels: Labels
    """Names of the classes and age bins."""
    fingerprint: str
    """Identity of the data set."""
    statistics: Statistics
    """What the cures computed from the training faces."""
    epochs_run: int
    """Number of epochs trained."""
    best_epoch: int
    """The epoch, counted from 1, whose weights the model has."""
    train_seconds: float
    """Time spent fitting, in seconds."""
    train_faces: int
    """Number of faces trained on."""
    validation_faces: int
    """Number of faces that the best epoch was chosen on."""
    parameters: int
    """Number of the network's weights."""
    recipe: Recipe
    """The settings that the training followed."""
    schema_version: Literal[1] = 1
    """Version of this format."""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the record in a model's directory.

        Raises:
            ArtifactError: If the record is missing, damaged or of a different version.
        """
        return super().read(Path(path) / VARIANT_FILE)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the record into a model's directory."""
        super().write(Path(path) / VARIANT_FILE)
