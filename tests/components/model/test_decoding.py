import numpy as np
import tensorflow as tf

from components.model.decoding import decode_and_resize


def test_grey_images_get_three_equal_channels_and_any_size_is_resized():
    grey = tf.io.encode_jpeg(np.random.default_rng(0).integers(0, 255, (50, 30, 1)).astype(np.uint8))
    image = decode_and_resize(grey, 16).numpy()
    assert image.shape == (16, 16, 3)
    assert np.array_equal(image[..., 0], image[..., 2])
