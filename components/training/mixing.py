"""Faces with other faces mixed into them: CutMix (arXiv 1905.04899) and mixup (arXiv 1710.09412).

A batch then comes in pairs of a face and its partner, both augmented, and with what to mix: in a box of the image an
amount of the partner, which is all of it where a box is pasted, and a part of it in a box as large as the image where
the two are blended. The loss is that of the face and that of the partner, each by its share of the image.
"""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from components.imbalance.treatment import Mixing

# Streams 1 to 6 of a seed are those of the augmentation.
_SHARE, _OTHER_SHARE, _CHANCE, _CENTRE = 7, 8, 9, 10


def draw_mix(count: int | tf.Tensor, size: int, mixing: Mixing, seed: tf.Tensor) -> dict[str, tf.Tensor]:
    """Draw what the faces of one batch get of their partners: the same for all, as in the authors' code.

    A pasted box is a square of the drawn share of the image, its centre anywhere in it; what lies beyond the edge is
    cut off.

    Args:
        count: Faces in the batch.
        size: Side of an image, in pixels.
        mixing: Kind, chance and distribution.
        seed: Two integers, shape ``[2]``. The same seed gives the same mix.

    Returns:
        Two arguments of :func:`mix`: ``box``, ``[count, 4]``, and ``amount``, ``[count, 1]``.
    """
    share = _beta(mixing.share, seed)
    if mixing.kind == "blend":
        box, amount = _whole(size), tf.cast(share, tf.float32)
    else:
        half = tf.cast(size * tf.sqrt(share), tf.int32) // 2
        centre = tf.random.stateless_uniform([2], _stream(seed, _CENTRE), 0, size, tf.int32)
        edges = tf.stack([tf.maximum(centre - half, 0), tf.minimum(centre + half, size)], axis=1)
        box, amount = tf.cast(tf.reshape(edges, [4]), tf.float32), tf.constant(1.0)
    mixed = tf.random.stateless_uniform([], _stream(seed, _CHANCE)) < mixing.chance
    return _repeat(box, tf.where(mixed, amount, 0.0), count)


def no_mix(count: int | tf.Tensor, size: int) -> dict[str, tf.Tensor]:
    """Return the arguments of :func:`mix` that leave ``count`` images as they are."""
    return _repeat(_whole(size), tf.constant(0.0), count)


def pair_inputs(faces: Mapping[str, Any], partners: Mapping[str, Any], mix: Mapping[str, Any]) -> dict[str, Any]:
    """Return the inputs of a model that mixes, from those of faces and of their partners and from what to mix."""
    return {**faces, **{f"partner_{name}": values for name, values in partners.items()}, **mix}


def mix(images: Any, partners: Any, box: Any, amount: Any) -> Any:
    """Return images with their partners mixed into them, with any back end of Keras.

    Args:
        images: Pixels, float32, shape ``[batch, size, size, 3]``.
        partners: The same of other faces.
        box: First row, end row, first column and end column of the pixels that change, shape ``[batch, 4]``.
        amount: How much of a partner's pixel goes into the box, 0 to 1, shape ``[batch, 1]``.
    """
    line = ops.arange(images.shape[1], dtype="float32")
    rows = ops.logical_and(line >= box[:, :1], line < box[:, 1:2])[:, :, None, None]
    columns = ops.logical_and(line >= box[:, 2:3], line < box[:, 3:])[:, None, :, None]
    share = ops.where(ops.logical_and(rows, columns), amount[:, :, None, None], 0.0)
    return (1.0 - share) * images + share * partners


def partner_share(box: Any, amount: Any, size: int) -> Any:
    """Return the partners' share of images that :func:`mix` returns, shape ``[batch]``."""
    return amount[:, 0] * (box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2]) / size**2


class Mix(keras.layers.Layer):
    """Images as the network takes them: mixed while it trains, the first ones otherwise."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)

    def call(self, images: Any, partners: Any, box: Any, amount: Any, training: bool | None = None) -> Any:
        """Return pixels 0 … 255, float32; the arguments are those of :func:`mix`."""
        return mix(images, partners, box, amount) if training else images


class MixedFaces(keras.Model):
    """A functional model whose loss, for faces in pairs, is that of either face by its share of the image.

    With targets ``[batch, 2]`` and weights ``[batch, 2]`` of each output, the first column the face's and the second
    its partner's, the loss is ``(1 − share) · loss(first) + share · loss(second)``, each with its own weights. The
    metrics are those of the first targets. With targets ``[batch, 1]``, as in validation, it is a plain model.
    """

    def compute_loss(
        self, x: Any = None, y: Any = None, y_pred: Any = None, sample_weight: Any = None, training: bool = True
    ) -> Any:
        """Return the loss, a scalar."""
        if not _in_pairs(y):
            return super().compute_loss(x, y, y_pred, sample_weight, training=training)
        share = partner_share(x["box"], x["amount"], x["images"].shape[1])
        # Keras logs an output's loss as its mean over the calls, which is the sum of both parts if each counts twice.
        own_weights = {name: 2.0 * (1.0 - share) * weights[:, 0] for name, weights in sample_weight.items()}
        partner_weights = {name: 2.0 * share * weights[:, 1] for name, weights in sample_weight.items()}
        own = super().compute_loss(x, _targets(y, 0), y_pred, own_weights, training=training)
        return (own + super().compute_loss(x, _targets(y, 1), y_pred, partner_weights, training=training)) / 2.0

    def compute_metrics(self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the metrics by name."""
        if _in_pairs(y):
            y, sample_weight = _targets(y, 0), {name: weights[:, 0] for name, weights in sample_weight.items()}
        return super().compute_metrics(x, y, y_pred, sample_weight)


def _in_pairs(targets: Mapping[str, Any]) -> bool:
    return all(values.shape[1] == 2 for values in targets.values())


def _targets(pairs: Mapping[str, Any], column: int) -> dict[str, Any]:
    return {name: values[:, column : column + 1] for name, values in pairs.items()}


def _whole(size: int) -> tf.Tensor:
    return tf.constant([0, size, 0, size], tf.float32)


def _repeat(box: tf.Tensor, amount: tf.Tensor, count: int | tf.Tensor) -> dict[str, tf.Tensor]:
    return {"box": tf.repeat(box[None], count, axis=0), "amount": tf.fill([count, 1], amount)}


def _beta(parameters: tuple[float, float], seed: tf.Tensor) -> tf.Tensor:
    """Return a number from a Beta distribution, float64: a Gamma variable's share of the sum of two."""
    first, second = (
        tf.random.stateless_gamma([], _stream(seed, stream), tf.constant(parameter, tf.float64), dtype=tf.float64)
        for stream, parameter in zip((_SHARE, _OTHER_SHARE), parameters, strict=True)
    )
    return first / (first + second)


def _stream(seed: tf.Tensor, stream: int) -> tf.Tensor:
    return tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int64), stream)
