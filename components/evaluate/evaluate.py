"""Score one served model on the balanced test set and on the validation faces."""

import logging
from dataclasses import dataclass

import numpy as np

from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.dataset.outputs import Kind
from components.errors import ArtifactError
from components.evaluate.settings import EvaluateSettings
from components.evaluation.catalogue import SCALARS, switched_on
from components.evaluation.frame import MetricFrame, score
from components.evaluation.predictions import Predictions
from components.model.serving import ServedModel
from components.training.record import TrainingRecord

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Scores:
    """One network's scores on the test set, as the user interfaces of KFP and Vertex AI show them."""

    predictions: Predictions
    frame: MetricFrame

    def listed(self) -> dict[str, float]:
        """Return the single-number metrics, and the recall of each class of every categorical output."""
        labels = self.predictions.labels
        numbers = {name: float(self.frame.overall[name]) for name in switched_on(SCALARS, labels)}
        for output in labels.classified.values():
            if output.kind is Kind.CATEGORICAL:
                metric = f"{output.name}_recall"
                recalls = zip(labels.names(output.name), self.frame.overall[metric], strict=True)
                numbers |= {f"{metric}_{name}": float(recall) for name, recall in recalls if np.isfinite(recall)}
        return numbers

    def confusion(self, output: str) -> tuple[list[str], list[list[int]]]:
        """Return a classified output's class names, and its counts with the truth in rows."""
        return list(self.predictions.labels.names(output)), self.frame.confusion[output].astype(int).tolist()


def evaluate(
    images_path: str,
    validation_path: str,
    test_path: str,
    model_path: str,
    settings: EvaluateSettings,
    predictions_path: str,
    validation_predictions_path: str,
) -> Scores:
    """Score a model through its serving signature, so that what is measured is what is served.

    Args:
        images_path: Directory of image shards.
        validation_path: Manifest of the validation split.
        test_path: Manifest of the test set.
        model_path: SavedModel directory with ``variant.json``.
        settings: Batch size.
        predictions_path: Parquet to write, one row per test face.
        validation_predictions_path: The same for the validation faces.

    Returns:
        The scores on the test set.

    Raises:
        ArtifactError: If the model's classes differ from those of the test set.
    """
    test, validation = Manifest.read(test_path), Manifest.read(validation_path)
    record = TrainingRecord.read(model_path)
    if record.labels != test.labels:
        raise ArtifactError(
            f"The model {model_path} was trained on {record.labels}, but the test set has {test.labels}",
            remedy="train it again on this data",
        )
    model = ServedModel(model_path)

    def predict(faces: Manifest, path: str) -> Predictions:
        served = model.predict(read_encoded(images_path, faces), settings.batch_size)
        predictions = Predictions.from_scores(faces.faces, faces.labels, served, record.variant, record.seed)
        predictions.write(path)
        return predictions

    predict(validation, validation_predictions_path)
    predictions = predict(test, predictions_path)
    _log.info(
        "%s, seed %d: %d test and %d validation faces scored", record.variant, record.seed, len(test), len(validation)
    )
    return Scores(predictions, score(predictions))
