"""The predictions of one trained network on the test set, passed between the stages as Parquet."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from components.dataset.labels import Labels
from components.dataset.tables import read_described, write_described
from components.errors import ArtifactError, DataError

SCHEMA = pa.schema(
    [
        pa.field("image_id", pa.string(), nullable=False),
        pa.field("age", pa.int16(), nullable=False),
        pa.field("age_bin", pa.int8(), nullable=False),
        pa.field("gender", pa.int8(), nullable=False),
        pa.field("ethnicity", pa.int8(), nullable=False),
        pa.field("predicted_age", pa.float32(), nullable=False),
        pa.field("female_probability", pa.float32(), nullable=False),
        pa.field("predicted_gender", pa.int8(), nullable=False),
        pa.field("ethnicity_probabilities", pa.list_(pa.float32()), nullable=False),
        pa.field("predicted_ethnicity", pa.int8(), nullable=False),
    ]
)
"""Columns of the predictions.

``age`` (true) and ``predicted_age`` are in years; the other columns without ``predicted`` are the
truth as in the manifest; ``ethnicity_probabilities`` has one number per class, in the order of
:class:`~components.dataset.labels.Labels`.
"""

_TRUTH = ("image_id", "age", "age_bin", "gender", "ethnicity")


@dataclass(frozen=True)
class Predictions:
    """What one trained network says about the test faces.

    Attributes:
        faces: One row per test face, the columns of :data:`SCHEMA`.
        labels: Names of the classes and of the age bins.
        variant: Name of the variant that was trained.
        seed: Seed of the training run.
    """

    faces: pd.DataFrame
    labels: Labels
    variant: str
    seed: int

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self.faces)

    def cells(self) -> npt.NDArray[np.int64]:
        """Return the gender × ethnicity × age-bin cell of each face, shape ``[faces]``, 0 … ``cell_count`` − 1."""
        return self.labels.cells(self.faces)

    def probabilities(self) -> npt.NDArray[np.float64]:
        """Return the ethnicity probabilities, shape ``[faces, classes]``."""
        return np.array(self.faces["ethnicity_probabilities"].tolist(), dtype=np.float64)

    def with_ethnicity(self, probabilities: npt.NDArray[np.floating], variant: str) -> "Predictions":
        """Return the same predictions with other ethnicity probabilities, and so other ethnicities.

        Args:
            probabilities: Shape ``[faces, classes]``; the class predicted is the first of the largest.
            variant: Name that the new predictions carry.
        """
        faces = self.faces.assign(
            ethnicity_probabilities=list(probabilities.astype(np.float32)),
            predicted_ethnicity=probabilities.argmax(axis=1).astype(np.int8),
        )
        return replace(self, faces=faces, variant=variant)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the predictions as one Parquet file, atomically.

        Raises:
            ArtifactError: If a value can't be a prediction (not finite, a code without a name).
        """
        self._check_values(path)
        about = {"labels": self.labels.to_dict(), "variant": self.variant, "seed": self.seed}
        write_described(path, self.faces, SCHEMA, about)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Predictions":
        """Read predictions and check their schema and their values.

        Raises:
            ArtifactError: If the file is missing, is not Parquet, a column differs from :data:`SCHEMA`,
                or a value can't be a prediction (not finite, a code without a name).
        """
        faces, about = read_described(path, SCHEMA, "table of predictions", "evaluate")
        predictions = cls(faces, Labels.from_dict(about["labels"]), str(about["variant"]), int(about["seed"]))
        predictions._check_values(path)
        return predictions

    def _check_values(self, path: str | os.PathLike[str]) -> None:
        """Refuse values that would end as a silent NaN or a wrong class in a metric."""
        faces, labels = self.faces, self.labels
        if faces.empty:
            raise ArtifactError(
                f"The predictions {path} hold no face", remedy="run evaluate again on a test set with faces"
            )
        if faces["image_id"].duplicated().any():
            raise ArtifactError(f"{path}: column 'image_id' names a face twice", remedy="run evaluate again")
        for column in ("predicted_age", "female_probability"):
            if not np.isfinite(faces[column].to_numpy()).all():
                raise ArtifactError(
                    f"{path}: column '{column}' is not finite everywhere", remedy="train this variant again"
                )
        widths = faces["ethnicity_probabilities"].map(len).to_numpy()
        if (widths != len(labels.ethnicities)).any():
            raise ArtifactError(
                f"{path}: column 'ethnicity_probabilities' needs {len(labels.ethnicities)} numbers per face, "
                f"one per class",
                remedy="run evaluate again",
            )
        if not np.isfinite(self.probabilities()).all():
            raise ArtifactError(
                f"{path}: column 'ethnicity_probabilities' is not finite everywhere", remedy="train this variant again"
            )
        sizes = {"gender": len(labels.genders), "ethnicity": len(labels.ethnicities), "age_bin": len(labels.age_bins)}
        for column in ("gender", "predicted_gender", "ethnicity", "predicted_ethnicity", "age_bin"):
            size = sizes[column.removeprefix("predicted_")]
            if not faces[column].between(0, size - 1).all():
                raise ArtifactError(
                    f"{path}: column '{column}' needs codes from 0 to {size - 1}", remedy="run evaluate again"
                )


def align(predictions: Sequence[Predictions]) -> list[Predictions]:
    """Return the predictions with their faces in one order, so that row *i* is the same face in all.

    Args:
        predictions: At least one; the order of the first is kept.

    Raises:
        DataError: If they are not about the same faces, with the same truth and the same class names.
    """
    first = predictions[0]
    order = pd.Index(first.faces["image_id"])
    aligned = []
    for each in predictions:
        name = f"variant {each.variant} with seed {each.seed}"
        if each.labels != first.labels:
            raise DataError(
                f"The predictions of {name} have other class names", remedy="compare runs of one data set only"
            )
        positions = pd.Index(each.faces["image_id"]).get_indexer(order)
        if len(each) != len(first) or (positions < 0).any():
            raise DataError(
                f"The predictions of {name} are about other faces", remedy="evaluate all runs on one test set"
            )
        faces = each.faces.iloc[positions].reset_index(drop=True)
        for column in _TRUTH:
            if (faces[column].to_numpy() != first.faces[column].to_numpy()).any():
                raise DataError(
                    f"The predictions of {name} have another true {column}", remedy="evaluate on one test set"
                )
        aligned.append(replace(each, faces=faces))
    return aligned
