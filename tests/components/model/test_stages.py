import numpy as np
import pytest

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels
from components.model.network import build_network
from components.model.settings import Hyperparameters, ModelSettings
from components.model.stages import freeze_body, normalise_head, normalise_weights, renew_heads

HEADS = {"age_unbounded", "gender", "ethnicity"}


@pytest.fixture(scope="module")
def network():
    settings = ModelSettings(image_size=32, backbone_weights="none")
    return build_network(settings, Hyperparameters(dense_units=8), Labels(), AgeScale(), initial_age=3.25)


def test_only_the_heads_of_a_frozen_network_can_be_trained_and_only_they_are_renewed(network):
    before = {weight.path: weight.numpy() for weight in network.weights}
    freeze_body(network)
    renew_heads(network)
    assert {weight.path.split("/")[0] for weight in network.trainable_weights} == HEADS
    changed = {weight.path for weight in network.weights if (weight.numpy() != before[weight.path]).any()}
    assert changed == {f"{head}/kernel" for head in HEADS}
    assert network.get_layer("age_unbounded").bias.numpy() == pytest.approx(3.25)


@pytest.mark.parametrize("power", [0.0, 0.5, 1.0])
def test_normalised_weights_decide_as_the_authors_formula_does(power):
    generator = np.random.default_rng(0)
    kernel = generator.normal(size=(8, 4)) * [1, 5, 0.2, 2]
    published = np.stack([row / (row @ row) ** (power / 2) for row in kernel.T], axis=1)
    ours = normalise_weights(kernel, power)
    np.testing.assert_allclose(ours / published, (ours / published)[0, 0], rtol=1e-12)
    assert np.linalg.norm(ours, axis=0).prod() == pytest.approx(np.linalg.norm(kernel, axis=0).prod())
    assert (power == 1) == (np.ptp(np.linalg.norm(ours, axis=0)) < 1e-12)


def test_a_normalised_head_has_no_biases(network):
    head = network.get_layer("ethnicity")
    kernel = head.kernel.numpy() * np.float32([1, 5, 0.2, 2])
    head.set_weights([kernel, np.ones(4)])
    normalise_head(network, "ethnicity", 1.0)
    np.testing.assert_allclose(head.kernel, normalise_weights(kernel, 1.0), rtol=1e-6)
    assert not head.bias.numpy().any()
