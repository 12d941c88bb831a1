from types import SimpleNamespace

import numpy as np
import pytest

from components.dataset.manifest import Manifest
from components.imbalance.registry import find_variant
from components.model.settings import Hyperparameters, ModelSettings
from components.training.batches import validation_batches
from components.training.compiled import build_compiled
from components.training.data import load_training_data
from components.training.fit import first_deferred_epoch, fit_network, seed_everything
from components.training.recipe import Recipe
from components.training.selection import kept_epoch
from components.training.settings import AugmentationSettings, TrainingSettings


@pytest.mark.parametrize(("watched", "average"), [("loss", None), ("score", 0.5)])
def test_the_kept_epoch_is_the_best_of_what_is_watched(small_data, watched, average):
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9, age_target="years"),
        training=TrainingSettings(
            epochs=3, batch_size=32, patience=3, selection_metric=watched, average_weights=average, label_smoothing=0.1
        ),
        augmentation=AugmentationSettings(enabled=False),
    )
    seed_everything(3, deterministic=True)
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant("ins"), recipe)
    network = build_compiled(data, recipe, Hyperparameters(learning_rate=0.02, dense_units=8))
    history = fit_network(network, data, recipe, 3, []).history
    scores = np.array(history["val_age_mae"]) - history["val_gender_accuracy"] - history["val_ethnicity_macro_f1"]
    np.testing.assert_allclose(history["val_score"], scores)
    kept = int(np.argmin(history[f"val_{watched}"]))
    assert kept_epoch(history, data.plan, recipe.training) == kept + 1
    again = network.evaluate(validation_batches(data.validation, 32), return_dict=True, verbose=0)
    assert again["loss"] == pytest.approx(history["val_loss"][kept], rel=1e-4)
    disagreeing = {"loss": [1, 1], "val_loss": [1.0, 2.0], "val_score": [2.0, 1.0]}
    assert kept_epoch(disagreeing, data.plan, recipe.training) == {"loss": 1, "score": 2}[watched]


def test_deferred_weights_start_with_the_last_part_of_the_epochs():
    assert first_deferred_epoch(SimpleNamespace(deferred_weights={}, deferred_fraction=0.2), epochs=10) == 8
    assert first_deferred_epoch(SimpleNamespace(deferred_weights={}, deferred_fraction=0.2), epochs=2) == 1
    assert first_deferred_epoch(SimpleNamespace(deferred_weights=None), epochs=10) == 0
