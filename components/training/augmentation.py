"""Augmentation of training images as one affine transform, computed where the network is.

Flip, rotation, zoom and shift are composed into a single matrix for each image, so the pixels are
read once. The random numbers are drawn with the batch, on the host; the pixels are changed inside the
model, so that images travel to an accelerator as bytes and are changed there. XLA compiles the change
into one loop over the pixels, also on a CPU, where it would slow the network itself down: at 224 px
it takes 0.43 ms of one core per image, and TensorFlow's ``ImageProjectiveTransformV3`` 2.2 ms.
"""

import math
from typing import Any

import keras
import tensorflow as tf
from keras import ops

from components.training.settings import AugmentationSettings


def draw_changes(
    count: int | tf.Tensor, size: int, settings: AugmentationSettings, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Draw how some images are to be changed.

    Args:
        count: Number of images.
        size: Side of the images, in pixels.
        settings: Ranges of the changes.
        seed: Two integers, shape ``[2]``. The same seed gives the same changes.

    Returns:
        Two arguments of :func:`augment`: ``transforms``, ``[count, 6]``, and ``brightness``, ``[count, 2]``.
    """
    angle = _uniform(count, settings.rotation_degrees * math.pi / 180, seed, stream=1)
    scale = 1.0 / (1.0 + _uniform(count, settings.zoom, seed, stream=2))
    shift_x = _uniform(count, settings.shift, seed, stream=3) * size
    shift_y = _uniform(count, settings.shift, seed, stream=4) * size
    mirror = tf.ones([count])
    if settings.horizontal_flip:
        mirror = tf.sign(_uniform(count, 1.0, seed, stream=6) + 1e-9)
    # Input pixel = A (output pixel − centre) + centre + shift, A = mirror · rotation · scale.
    a0, a1 = mirror * scale * tf.cos(angle), -mirror * scale * tf.sin(angle)
    b0, b1 = scale * tf.sin(angle), scale * tf.cos(angle)
    centre = (size - 1) / 2
    a2 = centre + shift_x - a0 * centre - a1 * centre
    b2 = centre + shift_y - b0 * centre - b1 * centre
    brighter = _uniform(count, settings.brightness, seed, stream=5)
    if settings.brightness_change == "factor":
        brightness = [1.0 + brighter, tf.zeros([count])]
    else:
        brightness = [tf.ones([count]), 255.0 * brighter]
    return {
        "transforms": tf.stack([a0, a1, a2, b0, b1, b2], axis=1),
        "brightness": tf.stack(brightness, axis=1),
    }


def no_changes(count: int | tf.Tensor) -> dict[str, tf.Tensor]:
    """Return the changes that leave ``count`` images as they are."""
    identity = {"transforms": [[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]], "brightness": [[1.0, 0.0]]}
    return {name: tf.repeat(tf.constant(change), count, axis=0) for name, change in identity.items()}


def _uniform(count: int | tf.Tensor, limit: float, seed: tf.Tensor, stream: int) -> tf.Tensor:
    """Return ``[count]`` numbers from −limit to limit; each stream of a seed is independent."""
    own_seed = tf.random.experimental.stateless_fold_in(tf.cast(seed, tf.int64), stream)
    return tf.random.stateless_uniform([count], own_seed, -limit, limit) if limit > 0 else tf.zeros([count])


def augment(images: Any, transforms: Any, brightness: Any) -> Any:
    """Return changed images, with any back end of Keras.

    Args:
        images: Pixels 0 … 255, shape ``[batch, size, size, 3]``.
        transforms: The affine map from output to input pixels, x and y, shape ``[batch, 6]``: input x is
            t0 · x + t1 · y + t2, input y is t3 · x + t4 · y + t5. Between pixels the value is bilinear; beyond
            the edge the image continues as its reflection.
        brightness: Factor of every pixel of an image, and what is then added to it, shape ``[batch, 2]``.

    Returns:
        Pixels 0 … 255, float32, same shape as the images.
    """
    size = images.shape[1]
    line = ops.arange(size, dtype="float32")
    x, y = line[None, None, :], line[None, :, None]
    to_x, to_y = transforms[:, :3, None, None], transforms[:, 3:, None, None]
    from_x = _reflected(to_x[:, 0] * x + to_x[:, 1] * y + to_x[:, 2], size)
    from_y = _reflected(to_y[:, 0] * x + to_y[:, 1] * y + to_y[:, 2], size)
    left, top = ops.floor(from_x), ops.floor(from_y)
    to_right, to_bottom = (from_x - left)[..., None], (from_y - top)[..., None]
    left, top = ops.cast(left, "int32"), ops.cast(top, "int32")
    right, bottom = ops.minimum(left + 1, size - 1), ops.minimum(top + 1, size - 1)
    pixels = ops.reshape(images, (-1, 3))
    first_of_image = (ops.arange(ops.shape(images)[0], dtype="int32") * (size * size))[:, None, None]

    def read(row: Any, column: Any) -> Any:
        return ops.cast(ops.take(pixels, first_of_image + row * size + column, axis=0), "float32")

    above = read(top, left) * (1 - to_right) + read(top, right) * to_right
    below = read(bottom, left) * (1 - to_right) + read(bottom, right) * to_right
    changed = above * (1 - to_bottom) + below * to_bottom
    factor, offset = brightness[:, :1, None, None], brightness[:, 1:, None, None]
    return ops.clip(changed * factor + offset, 0.0, 255.0)


def _reflected(position: Any, size: int) -> Any:
    """Return positions along an axis, those beyond an edge mirrored at it: −1 becomes 0, ``size`` becomes size − 1."""
    position = ops.where(position < 0, -position - 1.0, position)
    position = position - 2.0 * size * ops.floor(position / (2.0 * size))
    return ops.clip(ops.where(position >= size, 2.0 * size - position - 1.0, position), 0.0, size - 1.0)


_augment_compiled = tf.function(augment, jit_compile=True)


class Augmentation(keras.layers.Layer):
    """Images as the network takes them: changed while it trains, unchanged otherwise.

    The result is float32 even under a mixed policy, which would round the pixels.

    Args:
        enabled: False never changes them.
    """

    def __init__(self, *, enabled: bool = True, **kwargs: Any) -> None:
        super().__init__(dtype="float32", **kwargs)
        self.enabled = enabled

    def call(self, images: Any, transforms: Any, brightness: Any, training: bool | None = None) -> Any:
        """Return pixels 0 … 255, float32; the arguments are those of :func:`augment`."""
        if not (training and self.enabled):
            return ops.cast(images, "float32")
        # Other back ends compile the whole training step.
        compiled = _augment_compiled if keras.backend.backend() == "tensorflow" else augment
        return compiled(images, transforms, brightness)
