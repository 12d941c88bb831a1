import json
import subprocess
import sys
from types import SimpleNamespace

import pytest

from components.training import devices as module

SCRIPT = """
import json, sys
import numpy as np
import tensorflow as tf

cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
from components.dataset.manifest import Manifest
from components.imbalance.registry import find_variant
from components.model.settings import Hyperparameters, ModelSettings
from components.training.batches import training_batches
from components.training.checkpoint import Checkpoint
from components.training.compiled import build_compiled
from components.training.data import load_training_data
from components.training.fit import fit_network, seed_everything
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings

if sys.argv[5] == "tiny":
    from components.model import network
    from tests.components.training.tiny_backbone import build_tiny_backbone

    network._build_backbone = build_tiny_backbone
images, *manifests = sys.argv[1:4]
recipe = Recipe(
    model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9),
    training=TrainingSettings(epochs=1, batch_size=64, weight_decay=0.01, average_weights=0.9),
)
data = load_training_data(images, *map(Manifest.read, manifests), find_variant("denseweight_lmf"), recipe)
found = []
for strategy in (tf.distribute.get_strategy(), tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])):
    seed_everything(3, deterministic=True)
    with strategy.scope():
        model = build_compiled(data, recipe, Hyperparameters(dense_units=8, dropout=0.0))
        batches, _ = training_batches(data.train, 64, recipe.augmentation, 3)
        step = model.fit(batches, steps_per_epoch=1, verbose=0).history
        moving = [np.asarray(v).sum() for v in model.non_trainable_variables if "moving" in v.path]
        checkpoint = Checkpoint(f"{sys.argv[4]}/{strategy.num_replicas_in_sync}.npz")
        epoch = fit_network(model, data, recipe, 3, [], checkpoint).history
        trained = model.get_weights()
        for variable in model.variables:
            variable.assign(np.zeros(variable.shape))
        assert fit_network(model, data, recipe, 3, [], checkpoint).history == epoch
        assert all((a == b).all() for a, b in zip(model.get_weights(), trained))
    found.append({"step": step, "moving": np.float64(moving).tolist(), "epoch": epoch})
print(json.dumps(found))
"""


@pytest.mark.parametrize(
    ("faces", "wanted", "devices", "size"), [(221, 64, 1, 64), (55, 64, 2, 52), (100, 64, 3, 63), (40, 64, 1, 40)]
)
def test_devices_share_a_batch_evenly_and_none_goes_without(monkeypatch, faces, wanted, devices, size):
    monkeypatch.setattr(module, "distribution", lambda: SimpleNamespace(num_replicas_in_sync=devices))
    assert module.shared_batch(faces, wanted) == size


@pytest.mark.parametrize("backbone", ["tiny", pytest.param("whole", marks=pytest.mark.long)])
def test_two_devices_that_share_a_batch_take_the_step_of_one(small_data, tmp_path, project, backbone):
    arguments = [sys.executable, "-c", SCRIPT, small_data.images, small_data.train, small_data.validation]
    arguments += [str(tmp_path), backbone]
    finished = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=600, cwd=project)
    assert finished.returncode == 0, finished.stderr[-2000:]
    one, two = json.loads(finished.stdout.splitlines()[-1])
    assert two["step"]["loss"] == pytest.approx(one["step"]["loss"], rel=1e-4)
    assert two["step"]["age_mae"] == pytest.approx(one["step"]["age_mae"], rel=1e-4)
    assert two["moving"] == pytest.approx(one["moving"], rel=1e-3, abs=1e-3)
    # Adam turns a gradient near zero into a full step, so that rounding alone moves later steps.
    assert two["epoch"]["val_loss"] == pytest.approx(one["epoch"]["val_loss"], rel=0.02)
