"""The compiled network: the optimizer that the settings ask for, and what the history says of a cure's own head."""

import math

import numpy as np
import pytest

from components.dataset.manifest import Manifest
from components.dataset.outputs import OUTPUTS
from components.imbalance.registry import Variant, find_variant
from components.model.settings import Hyperparameters, ModelSettings
from components.training.batches import validation_batches
from components.training.compiled import build_compiled, learning_rate, trained_network
from components.training.data import load_training_data
from components.training.fit import fit_network, seed_everything
from components.training.recipe import Recipe
from components.training.settings import AugmentationSettings, TrainingSettings


def test_with_heads_of_its_own_a_variant_has_the_usual_history_of_what_its_network_predicts(small_data):
    cures = {"age": "dldl", "gender": "ldam", "ethnicity": "ldam"}
    variant = Variant("trial", "Trial", "test", cures, {"ldam.head": "cosine", "ldam.scale": 10.0})
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9),
        training=TrainingSettings(epochs=1, batch_size=32, patience=1, precision="float32"),
        augmentation=AugmentationSettings(enabled=False),
    )
    seed_everything(3, deterministic=True)
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, variant, recipe)
    model = build_compiled(data, recipe, Hyperparameters(dense_units=8))
    history = fit_network(model, data, recipe, 3, []).history
    names = {"loss", *(f"{name}_{what}" for name, output in OUTPUTS.items() for what in ("loss", output.metric))}
    assert history.keys() == {*names, *(f"val_{name}" for name in names), "val_score"}

    images = np.concatenate([inputs["images"] for inputs, _, _ in validation_batches(data.validation, 32)])
    predicted = trained_network(model).predict(images.astype(np.float32), verbose=0)
    truth = data.validation.targets
    assert predicted["age"].shape == predicted["gender"].shape == truth["age"].shape
    assert history["val_age_mae"][0] == pytest.approx(np.abs(predicted["age"] - truth["age"]).mean(), rel=1e-4)
    assert history["val_gender_accuracy"][0] == pytest.approx(((predicted["gender"] > 0) == truth["gender"]).mean())


def rates(steps, **training):
    """Return the learning rate of each step of a run of 4 epochs, tuned to 0.8."""
    rate = learning_rate(0.8, TrainingSettings(epochs=4, **training), steps)
    return [float(rate(step)) if callable(rate) else rate for step in range(4 * steps)]


def cosine(steps):
    return [0.8 * (1 + math.cos(math.pi * step / steps)) / 2 for step in range(steps)]


def test_without_a_warmup_the_rate_is_the_tuned_one_or_falls_from_it():
    assert rates(2) == [0.8] * 8
    assert rates(2, learning_rate_schedule="cosine") == pytest.approx(cosine(8), rel=1e-5)


def test_a_warmup_rises_in_equal_parts_and_the_schedule_follows():
    assert rates(4, warmup_epochs=1) == pytest.approx([0.2, 0.35, 0.5, 0.65, *[0.8] * 12], rel=1e-5)
    warm = rates(4, warmup_epochs=1, learning_rate_schedule="cosine")
    assert warm == pytest.approx([0.2, 0.35, 0.5, 0.65, *cosine(12)], rel=1e-5)


def test_weight_decay_takes_its_share_off_kernels_and_leaves_biases_and_batch_normalisation_alone(small_data):
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none"), training=TrainingSettings(weight_decay=0.2)
    )
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant("baseline"), recipe)
    model = build_compiled(data, recipe, Hyperparameters(learning_rate=0.5, dense_units=8))
    before = [variable.numpy() for variable in model.trainable_variables]
    model.optimizer.apply([np.zeros_like(values) for values in before])
    for variable, old in zip(model.trainable_variables, before, strict=True):
        shrinks = variable.name in ("kernel", "depthwise_kernel")
        np.testing.assert_allclose(variable.numpy(), old * (1 - 0.5 * 0.2 * shrinks), rtol=1e-6, err_msg=variable.path)
