"""Turn an image file's bytes into the pixels that the network sees."""

import tensorflow as tf


def decode_and_resize(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Decode one JPEG or PNG and resize it, in the graph.

    Training, evaluation and the served model all call this function, so that what is served sees
    the pixels that were trained on.

    Args:
        encoded: File content, a scalar string tensor.
        size: Side of the square result, in pixels.

    Returns:
        Pixels 0 … 255, uint8, shape ``[size, size, 3]``. Grey images get three equal channels.
    """
    # TensorFlow resizes floats twice as fast as bytes, to the same values.
    image = tf.cast(tf.io.decode_image(encoded, channels=3, expand_animations=False), tf.float32)
    shrinks = tf.reduce_any(tf.shape(image)[:2] > size)
    # Only an image that shrinks needs the filter against aliasing, which doubles the time of decoding and resizing.
    resized = tf.cond(shrinks, lambda: _resize(image, size, antialias=True), lambda: _resize(image, size))
    return tf.ensure_shape(tf.cast(tf.round(resized), tf.uint8), (size, size, 3))


def _resize(image: tf.Tensor, size: int, *, antialias: bool = False) -> tf.Tensor:
    return tf.image.resize(image, (size, size), antialias=antialias)
