import keras
import numpy as np
import pytest

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels
from components.errors import RequestError
from components.model.network import build_network
from components.model.settings import Hyperparameters, ModelSettings

SMALL = ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9)


def build(**changes):
    settings = SMALL.model_copy(update=changes)
    return build_network(settings, Hyperparameters(dense_units=8), Labels(), AgeScale(), initial_age=3.25)


@pytest.fixture(scope="module")
def network():
    return build()


def test_the_age_head_starts_at_the_training_mean(network):
    ages = network.predict(np.random.default_rng(0).integers(0, 255, (4, 32, 32, 3)), verbose=0)["age"]
    assert ages.shape == (4, 1)
    assert float(np.abs(ages - 3.25).mean()) < 0.5


def test_every_layer_is_trainable_and_the_momentum_is_set(network):
    norms = [
        layer for layer in network.get_layer("backbone").layers if isinstance(layer, keras.layers.BatchNormalization)
    ]
    assert norms
    assert {norm.momentum for norm in norms} == {0.9}
    assert all(layer.trainable for layer in network.get_layer("backbone").layers)


def test_backbone_weights_load_from_a_file(network, tmp_path):
    file = tmp_path / "backbone.weights.h5"
    network.get_layer("backbone").save_weights(file)
    loaded = build(backbone_weights=str(file)).get_layer("backbone")
    for ours, theirs in zip(network.get_layer("backbone").weights, loaded.weights, strict=True):
        assert np.array_equal(ours.numpy(), theirs.numpy())


def test_a_missing_weights_file_is_one_sentence(tmp_path):
    with pytest.raises(RequestError, match="does not exist: set model.backbone_weights"):
        build(backbone_weights=str(tmp_path / "nothing.h5"))


def test_a_weights_file_of_another_network_is_one_sentence(tmp_path):
    other = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(RequestError, match="does not fit MobileNetV3Small"):
        build(backbone_weights=str(tmp_path / "other.weights.h5"))


def test_imagenet_weights_that_cannot_be_downloaded_name_the_cure(monkeypatch):
    def refuse(*_, **__):
        raise OSError("no route to host")

    monkeypatch.setattr("keras.src.applications.mobilenet_v3.file_utils.get_file", refuse)
    with pytest.raises(RequestError, match="pass --set model.backbone_weights=none, or set it to a file"):
        build(backbone_weights="imagenet")
