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
    """How one model was made.

    Attributes:
        variant: Name of the variant.
        seed: Seed of the training.
        title: The variant's name for people.
        source: Where its method comes from.
        cures: Names of its cures, for each output and the resampling.
        hyperparameters: What tuning chose.
        labels: Names of the classes and age bins.
        fingerprint: Identity of the data set.
        statistics: What the cures computed from the training faces.
        epochs_run: Number of epochs trained.
        best_epoch: The epoch, from 1, whose weights the model has.
        train_seconds: Time of the fit, in seconds.
        train_faces: Number of faces trained on.
        validation_faces: Number of faces that the best epoch was chosen on.
        parameters: Number of the network's weights.
        recipe: The settings that the training followed.
        schema_version: Version of this form.
    """

    variant: str
    seed: int
    title: str
    source: str
    cures: dict[str, tuple[str, ...]]
    hyperparameters: Hyperparameters
    labels: Labels
    fingerprint: str
    statistics: Statistics
    epochs_run: int
    best_epoch: int
    train_seconds: float
    train_faces: int
    validation_faces: int
    parameters: int
    recipe: Recipe
    schema_version: Literal[1] = 1

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the record of a model.

        Args:
            path: The model's directory.

        Raises:
            ArtifactError: If the record is missing, damaged or of another version.
        """
        return super().read(Path(path) / VARIANT_FILE)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the record into a model's directory."""
        super().write(Path(path) / VARIANT_FILE)
