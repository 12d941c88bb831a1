"""Score one served model on the balanced test set."""

import logging

import numpy as np
import pandas as pd

from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.errors import ArtifactError
from components.evaluate.settings import EvaluationSettings
from components.evaluation.metrics import Scores, score
from components.evaluation.predictions import Predictions
from components.model.serving import ServedModel
from components.training.record import TrainingRecord

_log = logging.getLogger(__name__)


def evaluate(
    images_path: str,
    test_path: str,
    model_path: str,
    settings: EvaluationSettings,
    predictions_path: str,
) -> Scores:
    """Score a model through its serving signature, so that what is measured is what is served.

    Args:
        images_path: Directory of image shards.
        test_path: Manifest of the test set.
        model_path: SavedModel directory with ``variant.json``.
        settings: Batch size.
        predictions_path: Parquet to write, one row per test face.

    Returns:
        The model's scores.

    Raises:
        ArtifactError: If the model was trained on other classes than the test set has.
    """
    test = Manifest.read(test_path)
    record = TrainingRecord.read(model_path)
    if record.labels != test.labels:
        raise ArtifactError(
            f"The model {model_path} was trained on {record.labels} and the test set has {test.labels}",
            remedy="train it again on this data",
        )
    scores = ServedModel(model_path).predict(read_encoded(images_path, test), settings.batch_size)
    faces = test.faces
    table = pd.DataFrame(
        {
            "image_id": faces["image_id"],
            "age": faces["age"],
            "age_bin": faces["age_bin"],
            "gender": faces["gender"],
            "ethnicity": faces["ethnicity"],
            "predicted_age": scores["age"],
            "female_probability": scores["gender"],
            "predicted_gender": (scores["gender"] >= 0.5).astype(np.int8),
            "ethnicity_probabilities": list(scores["ethnicity"]),
            "predicted_ethnicity": scores["ethnicity"].argmax(axis=1).astype(np.int8),
        }
    )
    predictions = Predictions(faces=table, labels=test.labels, variant=record.variant, seed=record.seed)
    predictions.write(predictions_path)
    _log.info("%s, seed %d: %d test faces scored", record.variant, record.seed, len(table))
    return score(predictions)
