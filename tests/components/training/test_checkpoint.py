import os
import signal

import keras
import numpy as np
import pytest

from components.dataset.manifest import Manifest
from components.imbalance.registry import find_variant
from components.imbalance.settings import ImbalanceSettings
from components.model import network as network_module
from components.model.settings import Hyperparameters, ModelSettings
from components.training.checkpoint import Checkpoint, Progress, ends_on_sigterm
from components.training.compiled import build_compiled, steps_per_epoch, trained_network
from components.training.data import load_training_data
from components.training.fit import fit_network, seed_everything
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings
from tests.components.training.tiny_backbone import build_tiny_backbone

NEVER = (-1, -1)


@pytest.fixture(autouse=True)
def tiny_backbone(monkeypatch):
    monkeypatch.setattr(network_module, "_build_backbone", build_tiny_backbone)


class Ending(keras.callbacks.Callback):
    """Ends the process, as SIGTERM would, after a step of an epoch, in its validation, or before it is kept."""

    def __init__(self, epoch, step):
        super().__init__()
        self.at = (epoch, step)
        self.epoch = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch = epoch

    def on_train_batch_end(self, batch, logs=None):
        self._end_at(batch)

    def on_test_batch_end(self, batch, logs=None):
        self._end_at("validation")

    def on_epoch_end(self, epoch, logs=None):
        self._end_at("end")

    def _end_at(self, step):
        if self.at == (self.epoch, step):
            with ends_on_sigterm():
                os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("variant", "training", "ends"),
    [
        (
            "baseline",
            {"average_weights": 0.9, "patience": 1, "learning_rate_schedule": "cosine"},
            [(0, 1), (1, "validation"), (1, "end")],
        ),
        ("drw", {"steps_per_execution": 2, "selection_metric": "score"}, [(0, 1), (2, 1)]),
        ("crt", {}, [(2, "end"), (3, 1)]),
        ("group_dro", {}, [(1, 1)]),
        ("fds", {}, [(1, "end")]),
        ("cmo", {}, [(1, 2)]),
        *(
            pytest.param(*case, marks=pytest.mark.long)
            for case in (
                ("baseline", {"average_weights": 0.9}, [(0, 1), (0, 2), (1, "validation"), (2, 0), (2, "end")]),
                ("baseline", {"patience": 1, "learning_rate_schedule": "cosine"}, [(1, 3), (1, "end")]),
                ("crt", {}, [(2, "end"), (3, 1), (4, "validation"), (4, 0)]),
                ("fds", {}, [(1, "end"), (2, 1)]),
            )
        ),
    ],
)
def test_an_interrupted_training_ends_as_if_nothing_had_happened(small_data, tmp_path, variant, training, ends):
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9),
        training=TrainingSettings.model_validate({"epochs": 3, "batch_size": 16, **training}),
        imbalance=ImbalanceSettings().with_overrides({"crt.epochs": 2}),
    )
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant(variant), recipe)
    checkpoint = Checkpoint.of(str(tmp_path), variant, recipe.to_parameter())

    def run(kept, at=NEVER):
        keras.backend.clear_session()
        seed_everything(3, deterministic=True)
        model = build_compiled(data, recipe, Hyperparameters(learning_rate=0.02, dense_units=8, dropout=0.3))
        history = fit_network(model, data, recipe, 3, [Ending(*at)], kept).history
        return history, trained_network(model).get_weights()

    history, weights = run(None)
    for at in ends:
        with pytest.raises(SystemExit, match="143"):
            run(checkpoint, at)
    again, same = run(checkpoint)
    assert again == history
    for value, expected in zip(same, weights, strict=True):
        np.testing.assert_array_equal(value, expected)
    (kept,) = tmp_path.iterdir()
    kept.write_bytes(kept.read_bytes()[:-1000])
    assert checkpoint.read() is None
    checkpoint.remove()
    checkpoint.remove()
    assert not list(tmp_path.iterdir())


def test_a_training_that_can_not_be_kept_goes_on_and_says_so(tmp_path, caplog):
    (tmp_path / "occupied").write_bytes(b"")
    checkpoint = Checkpoint(str(tmp_path / "occupied" / "state.npz"))
    checkpoint.write(Progress.beginning(0, 0, {}))
    assert "can't be kept" in caplog.text
    assert checkpoint.read() is None
    checkpoint.remove()


def test_steps_whose_scaled_loss_overflows_count_as_made(small_data, tmp_path):
    """One in three of this training's steps changes no weights, and the optimizer doesn't count it."""
    recipe = Recipe(
        model=ModelSettings(image_size=32, backbone_weights="none"),
        training=TrainingSettings(epochs=2, batch_size=16, precision="mixed_float16"),
    )
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant("baseline"), recipe)
    steps, checkpoint = steps_per_epoch(data, recipe), Checkpoint(f"{tmp_path}/training.npz")
    assert len(data.train.images) % 16

    def run(kept, at=NEVER):
        keras.backend.clear_session()
        seed_everything(3, deterministic=True)
        model = build_compiled(data, recipe, Hyperparameters(learning_rate=0.02, dense_units=8, dropout=0.3))
        model.optimizer.dynamic_growth_steps = 2
        history = fit_network(model, data, recipe, 3, [Ending(*at)], kept).history
        return history, [*trained_network(model).get_weights(), *map(np.asarray, model.optimizer.variables)], model

    history, weights, model = run(None)
    assert int(model.optimizer.iterations) < 2 * steps
    # After the last step of an epoch nothing is kept before its validation.
    for at, kept in [((0, 5), (0, 6)), ((0, steps - 7), (0, 6))]:
        with pytest.raises(SystemExit, match="143"):
            run(checkpoint, at)
        progress = checkpoint.read()
        assert (progress.epoch, progress.step) == kept
    again, same, _ = run(checkpoint)
    assert again == history
    for value, expected in zip(same, weights, strict=True):
        np.testing.assert_array_equal(value, expected)
