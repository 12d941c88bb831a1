"""The predictions of one trained network on the test set, passed between the stages as Parquet."""

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from components.dataset.labels import Labels
from components.dataset.outputs import Kind, Output
from components.dataset.tables import read_described, write_described
from components.errors import ArtifactError, DataError


def _truth_columns(labels: Labels) -> list[str]:
    return ["image_id", *(["age", "age_bin"] if "age" in labels.outputs else []), *labels.classified]


def _predicted_fields(output: Output) -> Iterator[pa.Field]:
    if output.kind is Kind.REGRESSION:
        yield pa.field(output.predicted, pa.float32(), nullable=False)
        return
    probability = pa.float32() if output.kind is Kind.BINARY else pa.list_(pa.float32())
    yield pa.field(output.probability, probability, nullable=False)
    yield pa.field(output.predicted, pa.int8(), nullable=False)


def schema_of(labels: Labels) -> pa.Schema:
    """Return the columns of the predictions: nothing of an output that is switched off.

    ``age`` (true) and ``predicted_age`` are in years; the other columns up to ``predicted_age`` are the truth as
    in the manifest; a categorical output's probabilities are one number per class, in the order of
    :class:`~components.dataset.labels.Labels`.
    """
    types = {"image_id": pa.string(), "age": pa.int16()}
    truth = [pa.field(name, types.get(name, pa.int8()), nullable=False) for name in _truth_columns(labels)]
    predicted = (field for output in labels.outputs.values() for field in _predicted_fields(output))
    return pa.schema([*truth, *predicted])


@dataclass(frozen=True)
class Predictions:
    """What one trained network predicts for the test faces.

    Attributes:
        faces: One row per test face, the columns of :func:`schema_of`; a column of lists is Arrow's own.
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

    @classmethod
    def from_scores(
        cls, truth: pd.DataFrame, labels: Labels, scores: Mapping[str, npt.NDArray[Any]], variant: str, seed: int
    ) -> "Predictions":
        """Return the predictions that follow from scores.

        Args:
            truth: One row per test face, with the columns of a manifest.
            labels: Names of the classes and of the age bins.
            scores: By output: years ``[faces]`` of a regression, the probability of the second class
                ``[faces]`` of a binary output, probabilities ``[faces, classes]`` of a categorical one.
            variant: As in :class:`Predictions`.
            seed: As in :class:`Predictions`.
        """
        faces = truth[_truth_columns(labels)].reset_index(drop=True)
        for output in labels.outputs.values():
            faces = faces.assign(**_predicted_columns(output, scores[output.name]))
        return cls(faces, labels, variant, seed)

    def cells(self) -> npt.NDArray[np.int64]:
        """Return the gender × ethnicity × age-bin cell of each face, shape ``[faces]``, 0 … ``cell_count`` − 1."""
        return self.labels.cells(self.faces)

    def errors(self, output: Output) -> npt.NDArray[np.float64]:
        """Return predicted minus true value of a regression, in years, shape ``[faces]``."""
        predicted = self.faces[output.predicted].to_numpy(np.float64)
        errors: npt.NDArray[np.float64] = predicted - self.faces[output.name].to_numpy(np.float64)
        return errors

    def probabilities(self, output: Output) -> npt.NDArray[np.float64]:
        """Return the probabilities of a categorical output, shape ``[faces, classes]``."""
        numbers = self.faces[output.probability].list.flatten()
        probabilities: npt.NDArray[np.float64] = numbers.to_numpy(np.float64).reshape(len(self), -1)
        return probabilities

    def scores(self, output: Output) -> npt.NDArray[np.float64]:
        """Return what the network answers for one output, in the shapes of :meth:`from_scores`."""
        if output.kind is Kind.CATEGORICAL:
            return self.probabilities(output)
        return self.faces[output.predicted if output.kind is Kind.REGRESSION else output.probability].to_numpy(
            np.float64
        )

    def with_probabilities(
        self, output: Output, probabilities: npt.NDArray[np.floating], variant: str
    ) -> "Predictions":
        """Return the same predictions with other probabilities of one output, and so other classes.

        Args:
            output: A categorical output.
            probabilities: Shape ``[faces, classes]``; the class predicted has the largest, the first if tied.
            variant: Name that the new predictions carry.
        """
        return replace(self, faces=self.faces.assign(**_predicted_columns(output, probabilities)), variant=variant)

    def write(self, path: str | os.PathLike[str]) -> None:
        """Write the predictions as one Parquet file, atomically.

        Raises:
            ArtifactError: If a value can't be a prediction (such as NaN, or a code without a name).
        """
        self._check_values(path)
        about = {"labels": self.labels.to_dict(), "variant": self.variant, "seed": self.seed}
        write_described(path, self.faces, schema_of(self.labels), about)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> "Predictions":
        """Read predictions and check their schema and their values.

        Raises:
            ArtifactError: If the file is missing, is not Parquet, a column differs from :func:`schema_of`,
                or a value can't be a prediction (such as NaN, or a code without a name).
        """

        def columns(about: dict[str, Any]) -> pa.Schema:
            return schema_of(Labels.from_dict(about["labels"]))

        faces, about = read_described(path, columns, "table of predictions", "evaluate")
        predictions = cls(faces, Labels.from_dict(about["labels"]), str(about["variant"]), int(about["seed"]))
        predictions._check_values(path)
        return predictions

    def _check_values(self, path: str | os.PathLike[str]) -> None:
        """Refuse values that would silently become NaN or a wrong class in a metric."""
        faces = self.faces
        if faces.empty:
            remedy = "run evaluate again on a test set with faces"
            raise ArtifactError(f"The predictions {path} have no rows", remedy=remedy)
        if faces["image_id"].duplicated().any():
            raise _fault(path, "image_id", "lists a face twice")
        for column in self.labels.cell_columns:
            self._check_codes(path, column, column)
        for output in self.labels.outputs.values():
            column = output.probability if output.is_classified else output.predicted
            scores = faces[column]
            if output.kind is Kind.CATEGORICAL:
                classes = len(self.labels.names(output.name))
                if (scores.list.len() != classes).any():
                    raise _fault(path, column, f"needs {classes} numbers per face, one per class")
                scores = scores.list.flatten()
            if not np.isfinite(scores.to_numpy(np.float64, na_value=np.nan)).all():
                raise _fault(path, column, "has values that are not finite", remedy="train this variant again")
            if output.is_classified:
                self._check_codes(path, output.predicted, output.name)

    def _check_codes(self, path: str | os.PathLike[str], column: str, names: str) -> None:
        size = len(self.labels.names(names))
        if not self.faces[column].between(0, size - 1).all():
            raise _fault(path, column, f"needs codes from 0 to {size - 1}")


def _fault(
    path: str | os.PathLike[str], column: str, problem: str, *, remedy: str = "run evaluate again"
) -> ArtifactError:
    return ArtifactError(f"{path}: column '{column}' {problem}", remedy=remedy)


def _predicted_columns(output: Output, scores: npt.NDArray[Any]) -> dict[str, Any]:
    """Return the columns that follow from the scores of one output, by name."""
    if output.kind is Kind.REGRESSION:
        return {output.predicted: scores.astype(np.float32)}
    if output.kind is Kind.BINARY:
        return {output.probability: scores.astype(np.float32), output.predicted: (scores >= 0.5).astype(np.int8)}
    predicted = scores.argmax(axis=1).astype(np.int8)
    return {output.probability: _lists(scores), output.predicted: predicted}


def _lists(table: npt.NDArray[Any]) -> pd.arrays.ArrowExtensionArray:
    """Return the rows of a table as a column of lists, without an object per face."""
    rows, width = table.shape
    ends = pa.array(np.arange(0, (rows + 1) * width, width, dtype=np.int32))
    lists = pa.ListArray.from_arrays(ends, pa.array(table.astype(np.float32).ravel()))
    return pd.arrays.ArrowExtensionArray(lists)


def average(predictions: Sequence[Predictions]) -> Predictions:
    """Return what a model answers that averages the answers of several networks: ages, and probabilities.

    Args:
        predictions: One per network, at least one, aligned by face. The result carries the variant and the seed of the
            first.
    """
    first = predictions[0]
    faces = first.faces
    for output in first.labels.outputs.values():
        # As the packaged model does it: in double precision, rounded once, so that ties are decided alike.
        mean = np.mean([run.scores(output) for run in predictions], axis=0, dtype=np.float64).astype(np.float32)
        faces = faces.assign(**_predicted_columns(output, np.asarray(mean)))
    return replace(first, faces=faces)


def align(predictions: Sequence[Predictions]) -> list[Predictions]:
    """Return the predictions with their faces in one order, so that row *i* is the same face in each.

    Args:
        predictions: At least one; the order of the first is kept.

    Raises:
        DataError: If their faces, true values or class names differ.
    """
    first = predictions[0]
    order = pd.Index(first.faces["image_id"])
    aligned = []
    for run in predictions:
        subject = f"The predictions of variant {run.variant} with seed {run.seed}"
        if run.labels != first.labels:
            raise DataError(f"{subject} have different class names", remedy="compare only runs on the same data set")
        positions = pd.Index(run.faces["image_id"]).get_indexer(order)
        if len(run) != len(first) or (positions < 0).any():
            raise DataError(f"{subject} are for different faces", remedy="evaluate all runs on the same test set")
        is_in_order = (positions == np.arange(len(run))).all()
        faces = run.faces if is_in_order else run.faces.iloc[positions].reset_index(drop=True)
        for column in _truth_columns(first.labels):
            if (faces[column].to_numpy() != first.faces[column].to_numpy()).any():
                raise DataError(f"{subject} differ in the true {column}", remedy="evaluate on one test set")
        aligned.append(replace(run, faces=faces))
    return aligned
