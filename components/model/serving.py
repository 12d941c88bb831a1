"""The SavedModel: its inputs and outputs, and how it is written and read."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.batched import batched
from components.dataset.age_scale import AgeScale
from components.dataset.outputs import OUTPUTS, Kind, Output
from components.errors import ArtifactError
from components.model.decoding import decode_and_resize

SIGNATURE = "serving_default"
"""Name of the signature that a model is served by."""

INPUT = "image_bytes"
"""Name of its only input: files, shape ``[batch]``."""


def export(network: keras.Model, age_scale: AgeScale, image_size: int, path: str | os.PathLike[str]) -> None:
    """Write a SavedModel that loads with TensorFlow alone.

    Its signature ``serving_default`` takes ``image_bytes``, a string tensor ``[batch]`` of JPEG or
    PNG files of any size (a name that ends in ``_bytes`` makes TensorFlow Serving's REST API decode
    base64), and returns each output by name: the age in years ``[batch, 1]``, the probability of the
    second of two classes ``[batch, 1]``, probabilities of more classes ``[batch, classes]``.

    Args:
        network: A trained network.
        age_scale: Scale of its age head.
        image_size: Side of its input, in pixels.
        path: Directory to create.
    """

    def serve(image_bytes: tf.Tensor) -> dict[str, tf.Tensor]:
        images = tf.map_fn(
            lambda encoded: decode_and_resize(encoded, image_size), image_bytes, fn_output_signature=tf.uint8
        )
        scores = network(tf.cast(images, tf.float32), training=False)
        outputs = {name: output for name, output in OUTPUTS.items() if name in scores}
        return {name: _served(output, scores[name], age_scale) for name, output in outputs.items()}

    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint(SIGNATURE, serve, [tf.TensorSpec([None], tf.string, name=INPUT)])
    archive.write_out(str(path), verbose=False)


def _served(output: Output, scores: tf.Tensor, age_scale: AgeScale) -> tf.Tensor:
    if output.kind is Kind.REGRESSION:
        return tf.exp(scores) if age_scale.target == "log_age" else scores * age_scale.max_age
    return tf.sigmoid(scores) if output.kind is Kind.BINARY else tf.nn.softmax(scores)


def load_served(path: str | os.PathLike[str]) -> Any:
    """Load a SavedModel that has the serving signature.

    Raises:
        ArtifactError: If the directory is not a SavedModel with that signature.
    """
    if not (Path(path) / "saved_model.pb").is_file():
        raise ArtifactError(f"{path} is not a SavedModel", remedy="give the directory that holds saved_model.pb")
    loaded = tf.saved_model.load(str(path))
    if SIGNATURE not in loaded.signatures:
        raise ArtifactError(f"{path} has no signature {SIGNATURE}", remedy="export it with evenface")
    return loaded


class ServedModel:
    """A SavedModel, used only through its serving signature.

    Args:
        path: Directory that :func:`export` wrote.

    Raises:
        ArtifactError: If the directory is not a SavedModel with that signature.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._loaded = load_served(path)  # Kept because the signature lives only as long as this object.
        self._signature = self._loaded.signatures[SIGNATURE]

    def predict(self, encoded: Iterable[bytes], batch_size: int) -> dict[str, npt.NDArray[np.float32]]:
        """Score JPEG or PNG files, ``batch_size`` at a time.

        Returns:
            Each output by name: the age in years ``[images]``, the probability of the second of two
            classes ``[images]``, probabilities of more classes ``[images, classes]``.

        Raises:
            ArtifactError: If an image is neither JPEG nor PNG.
        """
        try:
            results = [self._signature(image_bytes=tf.constant(batch)) for batch in batched(encoded, batch_size)]
        except tf.errors.InvalidArgumentError:
            raise ArtifactError("An image is neither JPEG nor PNG", remedy="convert it, or leave it out") from None
        joined = {name: np.concatenate([result[name].numpy() for result in results]) for name in results[0]}
        return {
            name: values if OUTPUTS[name].kind is Kind.CATEGORICAL else values[:, 0] for name, values in joined.items()
        }
