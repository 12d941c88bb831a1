"""MobileNetV3Small with a head for each output."""

import tempfile
from pathlib import Path
from typing import Any

import keras

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS, Kind, Output
from components.errors import RequestError
from components.gs_uri import is_gs_uri
from components.model.fusing import fuse
from components.model.heads import StraightThroughClip
from components.model.settings import Hyperparameters, ModelSettings

NETWORK_NAME = "evenface"
"""Name of the network as a Keras model."""


def build_network(
    settings: ModelSettings,
    hyperparameters: Hyperparameters,
    labels: Labels,
    age_scale: AgeScale,
    initial_age: float,
    *,
    synchronized: bool = False,
) -> keras.Model:
    """Build the network, every layer trainable.

    Args:
        settings: Image size, initial backbone weights and BatchNorm momentum.
        hyperparameters: Dense layers and dropout.
        labels: Names of the classes.
        age_scale: Scale and bounds of the age head.
        initial_age: Bias that the age head starts from, on ``age_scale``: the mean of the training
            targets. With a bias of zero, half of the outputs would start below the lower bound.
        synchronized: Whether BatchNorm takes its statistics over all devices that share a batch.

    Returns:
        A model from images ``[batch, size, size, 3]``, pixels 0 … 255 (the backbone does its
        own rescaling), to one entry per output by name: ``[batch, 1]`` on ``age_scale`` for the age,
        ``[batch, 1]`` logit of the second of two classes, ``[batch, classes]`` logits of more.

    Raises:
        RequestError: If the backbone's weights can't be downloaded or read.
    """
    backbone = fuse(_build_backbone(settings))
    for layer in backbone.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = settings.batch_norm_momentum
            layer.synchronized = synchronized
    images = keras.Input((settings.image_size, settings.image_size, 3), name="images")
    features = backbone(images)
    for position in range(1, hyperparameters.dense_layers + 1):
        features = keras.layers.Dense(hyperparameters.dense_units, "relu", name=f"dense_{position}")(features)
        features = keras.layers.Dropout(hyperparameters.dropout, name=f"dropout_{position}")(features)
    heads = {name: _head(output, features, labels, age_scale, initial_age) for name, output in OUTPUTS.items()}
    return keras.Model(images, heads, name=NETWORK_NAME)


def _head(output: Output, features: Any, labels: Labels, age_scale: AgeScale, initial_age: float) -> Any:
    """Return an output's scores; in float32 even under a mixed policy, as losses are sums of small differences."""
    if output.kind is Kind.REGRESSION:
        start = keras.initializers.Constant(initial_age)
        unbounded = keras.layers.Dense(1, bias_initializer=start, dtype="float32", name=f"{output.name}_unbounded")
        clip = StraightThroughClip(age_scale.lower, age_scale.upper, dtype="float32", name=output.name)
        return clip(unbounded(features))
    units = 1 if output.kind is Kind.BINARY else len(labels.names(output.name))
    return keras.layers.Dense(units, dtype="float32", name=output.name)(features)


def _build_backbone(settings: ModelSettings) -> keras.Model:
    shape = (settings.image_size, settings.image_size, 3)
    arguments = {"input_shape": shape, "minimalistic": True, "include_top": False, "pooling": "avg", "name": "backbone"}
    source = settings.backbone_weights
    if source == "imagenet":
        try:
            return keras.applications.MobileNetV3Small(weights="imagenet", **arguments)
        except Exception as error:
            # Keras passes on whatever the download raises: OSError, URLError, a bare Exception.
            problem = f"The ImageNet weights of MobileNetV3Small can't be downloaded ({_first_line(error)})"
            raise RequestError(problem, remedy="pass --set model.backbone_weights=none, or set it to a file") from error
    backbone = keras.applications.MobileNetV3Small(weights=None, **arguments)
    if source != "none":
        _load_weights(backbone, source)
    return backbone


def _load_weights(backbone: keras.Model, source: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(source)
        if is_gs_uri(source):
            from google.cloud import storage

            path = Path(folder) / Path(source).name
            try:
                storage.Blob.from_uri(source, client=storage.Client()).download_to_filename(str(path))
            except Exception as error:
                problem = f"The backbone weights {source} can't be read ({_first_line(error)})"
                raise RequestError(problem, remedy="check model.backbone_weights and the credentials") from error
        if not path.is_file():
            raise RequestError(
                f"The backbone weights file {source} does not exist",
                remedy="set model.backbone_weights to 'imagenet', 'none' or an existing file",
            )
        try:
            backbone.load_weights(path)
        except (ValueError, OSError, KeyError) as error:
            raise RequestError(
                f"The backbone weights file {source} does not fit MobileNetV3Small minimalistic without its top "
                f"({_first_line(error)})",
                remedy="set model.backbone_weights to a file saved from that network",
            ) from error


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return (lines[0] if lines else type(error).__name__).rstrip(".")
