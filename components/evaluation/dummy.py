"""The dummy predictor: what scores someone who never looks at the face."""

import numpy as np

from components.dataset.manifest import Manifest
from components.dataset.outputs import OUTPUTS, Kind
from components.evaluation.predictions import Predictions

DUMMY = "dummy"
"""Name of the dummy predictor in place of a variant's."""


def dummy_predictions(train: Manifest, like: Predictions) -> Predictions:
    """Return the predictions of the best constants, as found on the training faces.

    The age is the training median, which minimises the mean absolute error in years and, because the
    logarithm keeps the order, that of the log-age too. The class of a classified output is the majority's;
    its probabilities are the class shares.

    Args:
        train: The training faces.
        like: Predictions of any network: they give the test faces and their truth.
    """
    scores = {}
    for output in OUTPUTS.values():
        values = train.faces[output.name]
        if output.kind is Kind.REGRESSION:
            scores[output.name] = np.full(len(like), np.median(values))
            continue
        shares = np.bincount(values, minlength=len(like.labels.names(output.name))) / len(train)
        constant = shares[1] if output.kind is Kind.BINARY else shares
        scores[output.name] = np.repeat(constant[None], len(like), axis=0)
    return Predictions.from_scores(like.faces, like.labels, scores, DUMMY, seed=0)
