"""Scoring a model on the current test set through its served signature."""

import numpy as np
import tensorflow as tf

from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.errors import ArtifactError
from components.evaluation.predictions import Predictions
from components.model.serving import ServedModel


class TestSetScorer:
    """Scores models on one test set.

    Args:
        images_path: Directory of image shards.
        test_path: Manifest of the test set.
        batch_size: Images per call of a model.
    """

    __test__ = False  # Without this, pytest takes it for a test class.

    def __init__(self, images_path: str, test_path: str, batch_size: int) -> None:
        self._images_path = images_path
        self._test = Manifest.read(test_path)
        self._batch_size = batch_size

    def __call__(self, folder: str) -> Predictions:
        """Return what the model in a folder predicts for the test faces.

        Raises:
            ArtifactError: If the model can't be loaded, fails, or gives answers that are no numbers.
        """
        images = read_encoded(self._images_path, self._test)
        try:
            scores = ServedModel(folder).predict(images, self._batch_size)
            finite = all(np.isfinite(values).all() for values in scores.values())
            predictions = Predictions.from_scores(self._test.faces, self._test.labels, scores, "model", 0)
        except (tf.errors.OpError, OSError, ValueError, RuntimeError, KeyError) as error:
            raise ArtifactError(
                f"The model can't be loaded or does not answer ({type(error).__name__})",
                remedy="package it again with this version of evenface",
            ) from None
        if not finite:
            raise ArtifactError("The model gives answers that are not numbers", remedy="train it again")
        return predictions
