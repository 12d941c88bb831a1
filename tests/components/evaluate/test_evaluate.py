"""Evaluate: what is measured is what is served."""

import numpy as np
import pytest

from components.dataset.images import read_encoded
from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.errors import ArtifactError
from components.evaluate.evaluate import evaluate
from components.evaluate.settings import EvaluateSettings
from components.evaluation.predictions import Predictions
from components.model.serving import ServedModel


@pytest.fixture(scope="module")
def evaluated(exported, small_data, tmp_path_factory):
    path = tmp_path_factory.mktemp("evaluated") / "predictions"
    validated = path.with_name("validated")
    scores = evaluate(
        small_data.images, small_data.validation, small_data.test, str(exported), EvaluateSettings(batch_size=7),
        str(path), str(validated),
    )  # fmt: skip
    validation = Manifest.read(small_data.validation)
    assert Predictions.read(validated).faces["image_id"].tolist() == validation.faces["image_id"].tolist()
    return scores, Predictions.read(path)


def test_every_test_face_has_what_the_served_model_says_of_it(evaluated, exported, small_data):
    _, written = evaluated
    test = Manifest.read(small_data.test)
    assert written.faces["image_id"].tolist() == test.faces["image_id"].tolist()
    served = ServedModel(exported).predict(read_encoded(small_data.images, test), batch_size=64)
    np.testing.assert_allclose(written.faces["predicted_age"], served["age"], rtol=1e-5)
    np.testing.assert_allclose(written.faces["female_probability"], served["gender"], rtol=1e-5)
    assert (written.faces["predicted_ethnicity"] == served["ethnicity"].argmax(axis=1)).all()
    assert (written.variant, written.seed) == ("ins", 3)


def test_the_user_interfaces_get_numbers_and_confusions_with_names(evaluated):
    scores, written = evaluated
    listed = scores.listed()
    assert all(type(value) is float for value in listed.values())
    classes, counts = scores.confusion("ethnicity")
    assert classes == ["White", "Black", "Asian", "Indian"]
    assert sum(map(sum, counts)) == len(written)
    assert listed["ethnicity_recall_Asian"] == pytest.approx(counts[2][2] / sum(counts[2]))
    assert scores.confusion("gender")[0] == ["Male", "Female"]


def test_a_model_of_other_classes_is_refused(exported, small_data, tmp_path):
    test = Manifest.read(small_data.test)
    Manifest(test.faces, Labels(genders=("Female", "Male")), test.fingerprint).write(tmp_path / "test")
    with pytest.raises(ArtifactError, match="was trained on .*: train it again on this data"):
        evaluate(
            small_data.images, small_data.validation, str(tmp_path / "test"), str(exported), EvaluateSettings(),
            str(tmp_path / "out"), str(tmp_path / "validated"),
        )  # fmt: skip
    assert not (tmp_path / "out").exists()
