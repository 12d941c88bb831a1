from types import SimpleNamespace

import keras
import numpy as np
import pytest
from scipy.special import softmax

from components.dataset.manifest import Manifest
from components.errors import DataError
from components.imbalance.fds import calibration, fds_window
from components.imbalance.registry import find_variant
from components.imbalance.settings import ImbalanceSettings
from components.model import network as network_module
from components.model.settings import Hyperparameters, ModelSettings
from components.training.batches import training_batches, validation_batches
from components.training.compiled import build_compiled, trained_network
from components.training.data import load_training_data
from components.training.fit import first_deferred_epoch, fit_network, planned_epochs, seed_everything
from components.training.recipe import Recipe
from components.training.selection import kept_epoch
from components.training.settings import AugmentationSettings, TrainingSettings


@pytest.fixture
def tiny_backbone(monkeypatch):
    """Put one convolution in the place of the backbone, which takes ten times as long to trace."""

    def build(settings):
        layers = [keras.layers.Conv2D(8, 3, 4), keras.layers.BatchNormalization(), keras.layers.GlobalMaxPooling2D()]
        side = settings.image_size
        inputs = keras.Input((side, side, 3))
        outputs = keras.layers.Rescaling(1 / 255)(inputs)
        for layer in layers:
            outputs = layer(outputs)
        return keras.Model(inputs, outputs, name="backbone")

    monkeypatch.setattr(network_module, "_build_backbone", build)


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


def test_class_weights_are_normalised_once_the_training_is_over(small_data, tiny_backbone):
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none"),
        training=TrainingSettings(epochs=1, batch_size=32),
    )
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant("tau_norm"), recipe)
    model = build_compiled(data, recipe, Hyperparameters(learning_rate=1e-9, dense_units=8))
    head = trained_network(model).get_layer("ethnicity")
    head.set_weights([head.kernel.numpy() * np.float32([1, 5, 0.2, 2]), np.ones(4)])
    likeliest = np.argmax(head.kernel.numpy() / np.linalg.norm(head.kernel.numpy(), axis=0), axis=1)
    fit_network(model, data, recipe, 3, [])
    assert np.ptp(np.linalg.norm(head.kernel.numpy(), axis=0)) < 1e-5
    np.testing.assert_array_equal(np.argmax(head.kernel.numpy(), axis=1), likeliest)
    assert not head.bias.numpy().any()


def test_deferred_weights_start_with_the_last_part_of_the_epochs():
    assert first_deferred_epoch(SimpleNamespace(deferred_weights={}, deferred_fraction=0.2), epochs=10) == 8
    assert first_deferred_epoch(SimpleNamespace(deferred_weights={}, deferred_fraction=0.2), epochs=2) == 1
    assert first_deferred_epoch(SimpleNamespace(deferred_weights=None), epochs=10) == 0


class WeightsAtStart(keras.callbacks.Callback):
    """Keeps the network's weights at the start of each stage."""

    def __init__(self):
        super().__init__()
        self.stages = []

    def on_train_begin(self, logs=None):
        network = trained_network(self.model)
        self.stages.append({weight.path: weight.numpy().copy() for weight in network.weights})


def adam(weights, gradients_of, batches, rate, epochs):
    """Return weights after Adam (Kingma & Ba 2015) with a cosine rate, in double precision."""
    steps = epochs * len(batches)
    first, second = ([np.zeros_like(weight) for weight in weights] for _ in range(2))
    for step in range(steps):
        for index, gradient in enumerate(gradients_of(weights, batches[step % len(batches)])):
            first[index] = 0.9 * first[index] + 0.1 * gradient
            second[index] = 0.999 * second[index] + 0.001 * gradient**2
            factor = rate * (1 + np.cos(np.pi * step / steps)) / 2 * np.sqrt(1 - 0.999 ** (step + 1))
            factor /= 1 - 0.9 ** (step + 1)
            weights[index] = weights[index] - factor * first[index] / (np.sqrt(second[index]) + 1e-7)
    return weights


def test_the_second_stage_is_softmax_regression_on_the_frozen_features(small_data, tiny_backbone):
    """Every step is taken again in NumPy, on the same draws; only the heads move, and the last epoch is kept."""
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9, age_target="years"),
        training=TrainingSettings(epochs=1, batch_size=32),
        augmentation=AugmentationSettings(enabled=False),
        imbalance=ImbalanceSettings().with_overrides({"crt.epochs": 1}),
    )
    seed_everything(3, deterministic=True)
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant("crt"), recipe)
    model = build_compiled(data, recipe, Hyperparameters(learning_rate=1e-3, dense_units=16, dropout=0.0))
    at_start = WeightsAtStart()
    history = fit_network(model, data, recipe, 3, [at_start])
    network = trained_network(model)
    begun, done = at_start.stages[1], {weight.path: weight.numpy().copy() for weight in network.weights}
    heads = {path for path in done if path.split("/")[0] in ("age_unbounded", "gender", "ethnicity")}
    assert {path for path in done if (done[path] != begun[path]).any()} == heads
    assert not np.allclose(begun["ethnicity/kernel"], at_start.stages[0]["ethnicity/kernel"])
    assert history.epoch == [0, 1]
    assert planned_epochs(data.plan, recipe.training) == 2 == kept_epoch(history.history, data.plan, recipe.training)
    again = model.evaluate(validation_batches(data.validation, 32), return_dict=True, verbose=0)
    assert again["loss"] == pytest.approx(history.history["val_loss"][-1], rel=1e-4)

    stage = data.plan.second_stage
    body = keras.Model(network.inputs, network.get_layer("ethnicity").input)
    batches, steps = training_batches(data.train, 32, recipe.augmentation, 3, probabilities=stage.plan.probabilities)
    taken = [
        (np.array(body({"images": inputs["images"]}, training=False), np.float64), targets["ethnicity"][:, 0])
        for inputs, targets, _ in batches.take(steps)
    ]

    def gradients(weights, batch):
        features, classes = batch
        errors = 2 * (softmax(features @ weights[0] + weights[1], axis=1) - np.eye(4)[classes]) / len(features)
        return features.T @ errors, errors.sum(axis=0)

    start = [begun["ethnicity/kernel"].astype(float), begun["ethnicity/bias"].astype(float)]
    kernel, bias = adam(start, gradients, taken, stage.learning_rate, epochs=1)
    np.testing.assert_allclose(done["ethnicity/kernel"], kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(done["ethnicity/bias"], bias, rtol=1e-4, atol=1e-6)


class CalibrationAtEnd(keras.callbacks.Callback):
    """Keeps the calibration of the age after each epoch, and the features that all training faces have then."""

    def __init__(self, images):
        super().__init__()
        self.images, self.epochs = images, []

    def on_epoch_end(self, epoch, logs=None):
        network = trained_network(self.model)
        unit = network.get_layer("age")
        features = keras.Model(network.input, unit.input)(self.images, training=False)
        self.epochs.append((unit.scale.numpy(), unit.shift.numpy(), np.array(features, float)))


def test_features_are_calibrated_after_each_epoch_by_running_statistics_of_all_training_faces(
    small_data, tiny_backbone
):
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9),
        training=TrainingSettings(epochs=2, batch_size=32),
    )
    seed_everything(3, deterministic=True)
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant("fds"), recipe)
    model = build_compiled(data, recipe, Hyperparameters(learning_rate=0.01, dense_units=8))
    seen = CalibrationAtEnd(np.asarray(data.train.images[:], np.float32))
    fit_network(model, data, recipe, 3, [seen])
    ages = manifests[0].faces["age"].to_numpy()
    means, variances = np.zeros((80, 8)), np.zeros((80, 8))
    for kept, (scale, shift, features) in zip((0.0, 0.9), seen.epochs, strict=True):
        for age in np.unique(ages):
            own = features[ages == age]
            means[age - 1] = kept * means[age - 1] + (1 - kept) * own.mean(axis=0)
            variances[age - 1] = kept * variances[age - 1] + (1 - kept) * own.var(axis=0, ddof=int(len(own) > 1))
        filled = np.bincount(ages, minlength=81)[1:] > 0
        # A feature whose variance is rounding alone may be taken for one that varies.
        clear = (variances > 1e-6) | (variances == 0)
        for ours, expected in zip((scale, shift), calibration(means, variances, filled, fds_window()), strict=True):
            np.testing.assert_allclose(ours[clear], expected[clear], rtol=1e-3, atol=1e-4)
    assert np.abs(seen.epochs[1][1]).max() > 0.01


@pytest.mark.parametrize(("keeps_last", "where"), [(False, "val_loss is not .* any"), (True, "loss is not .* last")])
def test_a_training_that_diverged_is_said_to_have(keeps_last, where):
    plan, training = SimpleNamespace(keeps_last_epoch=keeps_last), TrainingSettings()
    assert kept_epoch({"loss": [np.nan, 1.0], "val_loss": [np.nan, 1.0]}, plan, training) == 2
    with pytest.raises(DataError, match=f"Training diverged: {where}.*: lower the learning rates"):
        kept_epoch({"loss": [1.0, np.nan], "val_loss": [np.nan, np.nan]}, plan, training)
