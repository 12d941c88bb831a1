"""The served model: files of any size and format in, years and probabilities out."""

import numpy as np
import pytest

from components.errors import ArtifactError
from components.model.serving import ServedModel


@pytest.fixture(scope="module")
def served(exported):
    return ServedModel(exported)


def test_jpeg_and_png_of_any_size_give_years_and_probabilities(served, picture):
    images = [picture(1), picture(2, size=(200, 120)), picture(3, file_format="PNG"), picture(4, mode="L")]
    scores = served.predict(images, batch_size=3)
    assert {name: values.shape for name, values in scores.items()} == {"age": (4,), "gender": (4,), "ethnicity": (4, 4)}
    assert ((scores["age"] >= 1) & (scores["age"] <= 80.001)).all()
    assert ((scores["gender"] >= 0) & (scores["gender"] <= 1)).all()
    np.testing.assert_allclose(scores["ethnicity"].sum(axis=1), 1, atol=1e-5)


def test_the_size_of_the_batches_changes_nothing(served, picture):
    images = [picture(seed) for seed in range(5)]
    together, alone = served.predict(images, batch_size=5), served.predict(images, batch_size=1)
    for name, scores in together.items():
        np.testing.assert_allclose(scores, alone[name], rtol=1e-4)


def test_what_is_no_image_is_one_sentence(served, picture):
    with pytest.raises(ArtifactError, match="neither JPEG nor PNG: convert it, or leave it out"):
        served.predict([picture(1), b"no image"], batch_size=2)


def test_a_folder_without_a_model_is_one_sentence(tmp_path):
    with pytest.raises(ArtifactError, match="is not a SavedModel: give the directory that holds saved_model.pb"):
        ServedModel(tmp_path)
