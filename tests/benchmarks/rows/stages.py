"""Rows on what a stage does once: start, export a model, score one."""

import subprocess
import sys
from typing import Any

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns
from tests.benchmarks.row import Row, faster, share
from tests.benchmarks.rows.recipes import BATCH, choose, load, make_recipe

_IMAGES = 5 * BATCH


def _import(faces: Faces, turns: Turns, module: str) -> None:
    for _ in turns:
        subprocess.run([sys.executable, "-c", f"import {module}"], check=True)


def start_train(faces: Faces, turns: Turns) -> None:
    """Start a process that imports what the stage train runs, and end it."""
    _import(faces, turns, "components.train.train")


def start_split(faces: Faces, turns: Turns) -> None:
    """Start a process that imports what the stage split runs, and end it."""
    _import(faces, turns, "components.split.split")


def _network(faces: Faces) -> tuple[Any, Any, int]:
    from components.model.settings import Hyperparameters
    from components.training.compiled import build_compiled, trained_network

    recipe = make_recipe()
    data = load(faces, BATCH, recipe)
    return trained_network(build_compiled(data, recipe, Hyperparameters())), data.age_scale, recipe.model.image_size


def our_export(faces: Faces, turns: Turns) -> None:
    """Write the served model."""
    from components.model.serving import export

    network, age_scale, image_size = _network(faces)
    for turn in turns:
        export(network, age_scale, image_size, faces.folder / "exports" / str(turn))


def keras_save(faces: Faces, turns: Turns) -> None:
    """Write the network in Keras's own format, which only Keras reads."""
    network, _, _ = _network(faces)
    for turn in turns:
        network.save(faces.folder / f"saved-{turn}.keras")


def our_scoring(faces: Faces, turns: Turns) -> None:
    """Score faces through the serving signature, as the stage evaluate does."""
    from components.dataset.images import read_encoded
    from components.model.serving import ServedModel, export

    path, manifest = faces.folder / "served", choose(faces, _IMAGES)
    network, age_scale, image_size = _network(faces)
    export(network, age_scale, image_size, path)
    model = ServedModel(path)
    turns.units = _IMAGES
    for _ in turns:
        model.predict(read_encoded(faces.images, manifest), BATCH)


def keras_scoring(faces: Faces, turns: Turns) -> None:
    """Score the same faces, decoded beforehand, with Keras."""
    import numpy as np

    network, _, _ = _network(faces)
    images = np.asarray(load(faces, _IMAGES, make_recipe()).train.images[:], np.float32)
    turns.units = _IMAGES
    for _ in turns:
        network.predict(images, batch_size=BATCH, verbose=0)


ROWS = (
    Row(
        "start_up",
        "start and end of a training process, against one of split",
        start_train,
        start_split,
        bars=(share(),),
        unit="process",
        pairs=2,
        constant="start_up",
    ),
    Row(
        "export",
        "export for serving, against Keras's own format",
        our_export,
        keras_save,
        bars=(share(),),
        unit="model",
        pairs=2,
        constant="export",
    ),
    Row(
        "evaluate",
        "scoring through the served model, against decoded images in Keras",
        our_scoring,
        keras_scoring,
        bars=(faster(),),
        unit="image",
        constant="evaluate",
    ),
)
