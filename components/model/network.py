"""MobileNetV3Small with a head for each output."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import keras

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels
from components.dataset.outputs import Kind, Output
from components.errors import RequestError
from components.gs_uri import GsUri, is_gs_uri
from components.model.fusing import fuse
from components.model.heads import BoundedAge, Head, Logits
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
    heads: Mapping[str, Head] = MappingProxyType({}),
    synchronized: bool = False,
) -> keras.Model:
    """Build the network, every layer trainable.

    Args:
        settings: Image size, initial backbone weights and BatchNorm momentum.
        hyperparameters: Dense layers and dropout.
        labels: The outputs, and the names of their classes.
        age_scale: Scale and bounds of the age head.
        initial_age: Bias that the age head starts from, on ``age_scale``: the mean of the training
            targets. With a bias of zero, half of the outputs would start below the lower bound.
        heads: Heads in place of the plain ones, by output.
        synchronized: Whether BatchNorm takes its statistics over all devices that share a batch.

    Returns:
        A model from images ``[batch, size, size, 3]``, pixels 0 … 255 (the backbone does its
        own rescaling), to one entry per output by name: ``[batch, 1]`` on ``age_scale`` for the age,
        ``[batch, 1]`` logit of the second of two classes, ``[batch, classes]`` logits of more. Where a head's
        scores are not the output itself, they are one more entry, :func:`scores_key`, for the loss.

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
    outputs = {}
    for name, output in labels.outputs.items():
        head = heads.get(name) or _plain_head(output, labels, age_scale, initial_age)
        scores = head.scores(features, name)
        outputs[name] = head.read(scores)
        if outputs[name] is not scores:
            outputs[scores_key(name)] = scores
    return keras.Model(images, outputs, name=NETWORK_NAME)


def scores_key(name: str) -> str:
    """Return the key, among the network's outputs, of the scores of an output that is read from them."""
    return f"{name}_scores"


def _plain_head(output: Output, labels: Labels, age_scale: AgeScale, initial_age: float) -> Head:
    if output.kind is Kind.REGRESSION:
        return BoundedAge(age_scale, initial_age)
    return Logits(1 if output.kind is Kind.BINARY else len(labels.names(output.name)))


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
            uri, path = GsUri.parse(source), Path(folder) / Path(source).name
            try:
                uri.open_bucket().blob(uri.path).download_to_filename(str(path))
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
