"""``recommended.json``: which model a run recommends, written into the model's folder for whatever ships it.

The JSON Schema, ``recommended.schema.json`` in this folder, is :meth:`RecommendedModel.model_json_schema`.
"""

import os
from pathlib import Path
from typing import Literal, Self

from pydantic import Field

from components.compare.contract import Adjustment, Number, Standing
from components.contract import Contract
from components.dataset.labels import Labels

RECOMMENDED_FILE = "recommended.json"
"""Which model this is: the facts."""


class PackagedNetwork(Contract):
    """One network, or an ensemble of several, with everything that its row does in its graph."""

    row: str
    """Name of the row of the comparison whose numbers the model has."""
    title: str
    """The row's display name."""
    variant: str
    """The variant that was trained."""
    seed: int | None
    """Seed of the training; null for an ensemble."""
    adjustment: Adjustment | None
    """What the graph does to the probabilities after the network; null for nothing."""
    members: dict[str, Adjustment | None] = Field(default_factory=dict)
    """For an ensemble, the seeds whose networks the graph averages, and what it does to the probabilities of each
    before."""
    metrics: dict[str, Number]
    """Single-number metrics on the test set, measured on this very model."""
    validation_metric: str
    """The metric by which the network was taken from the row's seeds, on the validation faces."""
    validation_scores: dict[str, Number]
    """That metric of each seed, the faces re-weighted to the cells of the test set; the network's is the median, and an
    ensemble averages them all."""
    image_size: int
    """Side of the network's input, in pixels; the model resizes by itself."""
    files: dict[str, str]
    """SHA-256 of each file of the SavedModel and of the record of its training, by relative path."""


class RecommendedModel(Contract):
    """What a run recommends, as a model."""

    schema_version: Literal[1] = 1
    standing: Standing
    """What the recommendation rests on."""
    because: str
    fingerprint: str
    """Identity of the data set."""
    source_fingerprint: str = ""
    """Identity of the source that the data set was read from; empty where nobody took it."""
    settings_digest: str = ""
    """SHA-256 of the settings that determine the model; empty in records of an earlier version."""
    code: str = ""
    """The stages' image, by its digest where that is known; on one machine without containers, a digest of the code."""
    labels: Labels
    """Names of the classes and age bins, in the order of the model's probabilities."""
    network: PackagedNetwork | None
    """Null where nothing can be shipped; the folder then holds no SavedModel."""

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Self:
        """Read the facts in a model's folder.

        Raises:
            ArtifactError: If they are missing, damaged or of a different version.
        """
        return super().read(Path(path) / RECOMMENDED_FILE)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the facts into a model's folder."""
        super().write(Path(path) / RECOMMENDED_FILE)
