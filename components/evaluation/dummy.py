"""The dummy predictor: the scores of guessing without looking at the face."""

import numpy as np

from components.dataset.manifest import Manifest
from components.dataset.outputs import Kind
from components.evaluation.predictions import Predictions

DUMMY = "dummy"
"""Name of the dummy predictor, where a variant's would stand."""


def dummy_predictions(train: Manifest, like: Predictions) -> Predictions:
    """Return the predictions of the best constants, computed from the training faces.

    The age is the training median, which minimises the mean absolute error in years and, because the
    logarithm is monotonic, in log-age too. A classified output gets the majority class;
    its probabilities are the class shares.

    Args:
        train: The training faces.
        like: Predictions of any network, for the test faces and their true values.
    """
    scores = {}
    for output in like.labels.outputs.values():
        values = train.faces[output.name]
        if output.kind is Kind.REGRESSION:
            scores[output.name] = np.full(len(like), np.median(values))
            continue
        shares = np.bincount(values, minlength=len(like.labels.names(output.name))) / len(train)
        constant = shares[1] if output.kind is Kind.BINARY else shares
        scores[output.name] = np.repeat(constant[None], len(like), axis=0)
    return Predictions.from_scores(like.faces, like.labels, scores, DUMMY, seed=0)
