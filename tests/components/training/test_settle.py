import pytest
import tensorflow as tf

from components.dataset.manifest import Manifest
from components.errors import RequestError
from components.imbalance.registry import find_variant
from components.model.settings import Hyperparameters, ModelSettings
from components.training import settle as module
from components.training.data import load_training_data
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings


@pytest.fixture(scope="module")
def data_and_recipe(small_data):
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none"), training=TrainingSettings(batch_size="auto")
    )
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    return load_training_data(small_data.images, *manifests, find_variant("baseline"), recipe), recipe


def settled_batch(data, recipe):
    return module.settle(recipe, data, Hyperparameters(dense_units=8)).training.batch_size


def test_an_automatic_batch_leaves_twenty_steps_in_an_epoch(data_and_recipe):
    data, recipe = data_and_recipe
    size = settled_batch(data, recipe)
    assert size & (size - 1) == 0
    assert len(data.train.images) / (2 * size) < 20 <= len(data.train.images) / size


def test_an_automatic_batch_is_the_largest_that_fits(data_and_recipe, monkeypatch):
    data, recipe = data_and_recipe
    fits = 4

    def train_one_step(model, data, size):
        if size > fits:
            raise tf.errors.ResourceExhaustedError(None, None, "no memory")

    monkeypatch.setattr(module, "build_compiled", lambda *_: None)
    monkeypatch.setattr(module, "_train_one_step", train_one_step)
    assert settled_batch(data, recipe) == 4
    fits = 0
    with pytest.raises(RequestError, match=r"lower model\.image_size"):
        settled_batch(data, recipe)


def test_a_machine_without_gpu_trains_in_float32(data_and_recipe):
    data, recipe = data_and_recipe
    fixed = recipe.model_copy(update={"training": TrainingSettings(batch_size=16)})
    training = module.settle(fixed, data, Hyperparameters()).training
    assert (training.precision, training.batch_size) == ("float32", 16)


@pytest.mark.parametrize(
    ("capabilities", "policy"),
    [
        ([(7, 5)], "mixed_float16"),
        ([(8, 9)], "mixed_bfloat16"),
        ([(9, 0), (7, 0)], "mixed_float16"),
        ([(6, 1)], "float32"),
    ],
)
def test_precision_is_what_every_gpu_has_tensor_cores_for(monkeypatch, capabilities, policy):
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: capabilities)
    monkeypatch.setattr(
        tf.config.experimental, "get_device_details", lambda capability: {"compute_capability": capability}
    )
    assert module.fastest_precision() == policy
