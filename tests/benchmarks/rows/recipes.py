"""What the rows on training have in common: the recipe, the faces, and the proof of concept's own way."""

from collections.abc import Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from components.dataset.manifest import Manifest
from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns

if TYPE_CHECKING:
    from components.training.data import TrainingData
    from components.training.recipe import Recipe

BATCH = 64
SIDE = 224
DENSE_UNITS = 128
DROPOUT = 0.2
_VALIDATION = 8


def choose(faces: Faces, count: int) -> Manifest:
    """Return evenly spaced faces of the manifest."""
    manifest = Manifest.read(faces.manifest)
    return manifest.subset(np.linspace(0, len(manifest) - 1, count).astype(int))


def make_recipe(epochs: int = 1, side: int = SIDE) -> "Recipe":
    """Return the defaults, with random weights and without early stopping."""
    from components.training.recipe import Recipe

    return Recipe.model_validate(
        {
            "model": {"image_size": side, "backbone_weights": "none"},
            "training": {"epochs": epochs, "batch_size": BATCH, "patience": epochs},
        }
    )


def load(faces: Faces, count: int, recipe: "Recipe") -> "TrainingData":
    """Load so many faces to train on, and a handful to validate on, as the stage train does."""
    from components.imbalance.registry import find_variant
    from components.training.data import load_training_data

    return load_training_data(
        faces.images, choose(faces, count), choose(faces, _VALIDATION), find_variant("baseline"), recipe
    )


def generator_flow(faces: Faces, count: int, side: int = SIDE) -> Any:
    """Return the proof of concept's batches: Keras's generator, the same ranges as the default augmentation."""
    from keras.src.legacy.preprocessing.image import ImageDataGenerator

    from components.training.settings import AugmentationSettings

    ranges = AugmentationSettings()
    generator = ImageDataGenerator(
        rotation_range=ranges.rotation_degrees,
        width_shift_range=ranges.shift,
        height_shift_range=ranges.shift,
        zoom_range=ranges.zoom,
        horizontal_flip=ranges.horizontal_flip,
        brightness_range=(1 - ranges.brightness, 1 + ranges.brightness),
        fill_mode="reflect",
    )
    return generator.flow_from_dataframe(
        choose(faces, count).faces,
        directory=str(faces.files),
        x_col="file_name",
        y_col=["log_age", "gender", "ethnicity"],
        class_mode="multi_output",
        target_size=(side, side),
        batch_size=BATCH,
        seed=0,
    )


def fit_generator(network: Any, flow: Any, epochs: int, callback: Any) -> None:
    """Fit a network to a generator's batches; the targets become a tuple, as Keras wants them."""
    import keras

    class Tuples(keras.utils.PyDataset):  # type: ignore[misc]
        def __len__(self) -> int:
            return len(flow)

        def __getitem__(self, index: int) -> Any:
            images, targets = flow[index]
            return images, tuple(targets)

        def on_epoch_end(self) -> None:
            flow.on_epoch_end()

    network.fit(Tuples(), epochs=epochs, callbacks=[callback], verbose=0)


def keras_network(classes: int, side: int = SIDE) -> Any:
    """Return the proof of concept's network as Keras builds and compiles it, XLA off."""
    import keras

    backbone = keras.applications.MobileNetV3Small(
        input_shape=(side, side, 3), minimalistic=True, include_top=False, pooling="avg", weights=None
    )
    features = keras.layers.Dense(DENSE_UNITS, "relu")(backbone.output)
    features = keras.layers.Dropout(DROPOUT)(features)
    heads = [
        keras.layers.Dense(1, name="age")(features),
        keras.layers.Dense(1, "sigmoid", name="gender")(features),
        keras.layers.Dense(classes, "softmax", name="ethnicity")(features),
    ]
    network = keras.Model(backbone.input, heads)
    network.compile(
        keras.optimizers.Adam(1e-3),
        loss=["mae", "binary_crossentropy", "sparse_categorical_crossentropy"],
        loss_weights=[2.0, 1.0, 2.0],
        metrics=[["mae"], ["accuracy"], ["accuracy"]],
        jit_compile=False,
    )
    return network


def epoch_turns(turns: Turns) -> Any:
    """Return the callback that makes every epoch of a fit a turn, its validation included."""
    import keras

    class EpochTurns(keras.callbacks.Callback):  # type: ignore[misc]
        def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
            turns.begin()

        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            turns.end()

    return EpochTurns()


def consume(batches: Iterator[Any], count: int) -> None:
    """Take so many batches."""
    for _ in islice(batches, count):
        pass
