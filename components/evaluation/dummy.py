"""The floor: what a predictor scores that never looks at the face."""

import numpy as np
import pandas as pd

from components.dataset.manifest import Manifest
from components.evaluation.predictions import SCHEMA, Predictions

FLOOR = "floor"
"""Name of the constant predictor in place of a variant's."""


def constant_predictions(train: Manifest, like: Predictions) -> Predictions:
    """Return the predictions of the best constants, as found on the training faces.

    The age is the training median, which minimises the mean absolute error in years and, because the
    logarithm keeps the order, that of the log-age too. Gender and ethnicity are the majority classes;
    the probabilities are the class shares.

    Args:
        train: The training faces.
        like: Predictions of any network: they give the test faces and their truth.
    """
    labels, faces = like.labels, len(like)
    gender_share = np.bincount(train.faces["gender"], minlength=len(labels.genders)) / len(train)
    ethnicity_share = np.bincount(train.faces["ethnicity"], minlength=len(labels.ethnicities)) / len(train)
    female = labels.genders.index("Female") if "Female" in labels.genders else len(labels.genders) - 1
    constants = pd.DataFrame(
        {
            "predicted_age": np.full(faces, np.median(train.faces["age"]), dtype=np.float32),
            "female_probability": np.full(faces, gender_share[female], dtype=np.float32),
            "predicted_gender": np.full(faces, gender_share.argmax(), dtype=np.int8),
            "ethnicity_probabilities": [ethnicity_share.astype(np.float32)] * faces,
            "predicted_ethnicity": np.full(faces, ethnicity_share.argmax(), dtype=np.int8),
        }
    )
    truth = like.faces[["image_id", "age", "age_bin", "gender", "ethnicity"]].reset_index(drop=True)
    table = pd.concat([truth, constants], axis=1)[SCHEMA.names]
    return Predictions(faces=table, labels=labels, variant=FLOOR, seed=0)
