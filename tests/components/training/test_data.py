from dataclasses import replace

import numpy as np
import pytest

from components.dataset.manifest import Manifest
from components.imbalance.registry import find_variant
from components.model.settings import ModelSettings
from components.training.data import load_training_data
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings

MODEL = ModelSettings(image_size=32, backbone_weights="none", age_target="years")


def load(data, variant="baseline", validation=None, **training):
    recipe = Recipe(model=MODEL, training=TrainingSettings(**training))
    train, validation = Manifest.read(data.train), validation or Manifest.read(data.validation)
    return load_training_data(data.images, train, validation, find_variant(variant), recipe)


def test_balanced_selection_weighs_every_cell_of_the_validation_faces_alike(small_data):
    weights = load(small_data, selection="balanced").validation.weights["age"]
    cells = Manifest.read(small_data.validation).cells()
    totals = np.bincount(cells, weights=weights)
    assert weights.mean() == pytest.approx(1)
    assert totals[np.unique(cells)] == pytest.approx(len(cells) / len(np.unique(cells)), rel=1e-5)


@pytest.mark.parametrize("variant", ["ins", "denseweight_lmf", "logit_adjusted", "ldam_drw", "cell_balanced"])
def test_labels_of_other_splits_move_no_weight_prior_density_or_margin(small_data, variant):
    validation = Manifest.read(small_data.validation)
    mislabelled = validation.faces.assign(gender=np.int8(0), ethnicity=np.int8(2), age=np.int16(80), age_bin=np.int8(7))
    before = load(small_data, variant)
    after = load(small_data, variant, validation=replace(validation, faces=mislabelled))
    assert (after.validation.targets["ethnicity"] == 2).all()
    assert (before.validation.targets["ethnicity"] != 2).any()
    assert before.plan.statistics == after.plan.statistics
    assert before.initial_age == after.initial_age
    np.testing.assert_array_equal(before.plan.probabilities, after.plan.probabilities)
    for output, weights in before.train.weights.items():
        np.testing.assert_array_equal(weights, after.train.weights[output])
    assert before.plan.losses.keys() == after.plan.losses.keys()
    for output, loss in before.plan.losses.items():
        assert loss.get_config() == after.plan.losses[output].get_config()
