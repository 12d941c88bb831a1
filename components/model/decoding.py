"""Turn an image file's bytes into the pixels that the network sees."""

import tensorflow as tf

_JPEG, _PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
"""How the files that preprocess accepts begin; TensorFlow itself would read BMP, GIF and WebP as well."""


def decode_and_resize(encoded: tf.Tensor, size: int) -> tf.Tensor:
    """Decode one JPEG or PNG and resize it, in the graph.

    Training, evaluation and the served model all call this function, so that what is served sees
    the pixels that were trained on.

    Args:
        encoded: File content, a scalar string tensor.
        size: Side of the square result, in pixels.

    Returns:
        Pixels 0 … 255, uint8, shape ``[size, size, 3]``. Grey images get three equal channels, transparency is left
        out, and 16-bit values lose their lower half. An orientation in the file's EXIF data turns nothing.
    """
    starts = [tf.equal(tf.strings.substr(encoded, 0, len(start)), start) for start in (_JPEG, _PNG)]
    with tf.control_dependencies([tf.debugging.Assert(tf.reduce_any(starts), ["neither JPEG nor PNG"])]):
        encoded = tf.identity(encoded)
    # TensorFlow resizes floats twice as fast as bytes, to the same values.
    image = tf.cast(tf.io.decode_image(encoded, channels=3, expand_animations=False), tf.float32)
    shrinks = tf.reduce_any(tf.shape(image)[:2] > size)
    # Only an image that shrinks needs the filter against aliasing, which doubles the time of decoding and resizing.
    resized = tf.cond(shrinks, lambda: _resize(image, size, antialias=True), lambda: _resize(image, size))
    return tf.ensure_shape(tf.cast(tf.round(resized), tf.uint8), (size, size, 3))


def _resize(image: tf.Tensor, size: int, *, antialias: bool = False) -> tf.Tensor:
    return tf.image.resize(image, (size, size), antialias=antialias)
