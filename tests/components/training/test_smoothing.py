"""Smoothed losses, against their closed forms in NumPy."""

import keras
import numpy as np
import pytest

from components.dataset.manifest import Manifest
from components.imbalance.registry import find_variant
from components.model.settings import Hyperparameters, ModelSettings
from components.training.compiled import build_compiled
from components.training.data import load_training_data
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings
from components.training.smoothing import SmoothedLoss

LOGITS = np.random.default_rng(0).normal(0, 3, size=(7, 4)).astype(np.float32)
CODES = np.array([[0], [1], [2], [3], [0], [1], [2]], np.int32)


def log_softmax(logits):
    return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))


def test_cross_entropy_is_against_smoothed_labels():
    labels = 0.9 * np.eye(4)[CODES[:, 0]] + 0.1 / 4
    expected = np.mean(-(labels * log_softmax(LOGITS)).sum(axis=1))
    plain = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    assert float(SmoothedLoss(plain, 4, 0.1)(CODES, LOGITS)) == pytest.approx(expected, rel=1e-6)


def test_binary_cross_entropy_is_kerass_own_with_smoothed_labels():
    truth, logits, weights = CODES[:, :1] % 2, LOGITS[:, :1], np.arange(7.0)
    smoothed = SmoothedLoss(keras.losses.BinaryCrossentropy(from_logits=True), 2, 0.2)
    own = keras.losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.2)
    expected = float(own(truth.astype(np.float32), logits, weights))
    assert float(smoothed(truth, logits, weights)) == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize(("variant", "smoothed"), [("baseline", ["gender", "ethnicity"]), ("lmf", ["gender"])])
def test_the_plain_losses_are_smoothed_and_a_cures_own_is_not(small_data, variant, smoothed):
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none"), training=TrainingSettings(label_smoothing=0.1)
    )
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant(variant), recipe)
    losses = build_compiled(data, recipe, Hyperparameters(dense_units=8)).loss
    assert [name for name, loss in losses.items() if isinstance(loss, SmoothedLoss)] == smoothed
