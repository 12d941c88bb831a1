"""The compiled network: what the history and the network say when a cure brings its head."""

import numpy as np
import pytest

from components.dataset.manifest import Manifest
from components.dataset.outputs import OUTPUTS
from components.imbalance.registry import Variant
from components.model.settings import Hyperparameters, ModelSettings
from components.training.batches import validation_batches
from components.training.compiled import build_compiled, trained_network
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
