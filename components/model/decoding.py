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
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    resized = tf.image.resize(image, (size, size), antialias=True)
    return tf.ensure_shape(tf.cast(tf.clip_by_value(tf.round(resized), 0, 255), tf.uint8), (size, size, 3))
