import io

import numpy as np
from PIL import Image

from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.training.images import EncodedImages, free_memory_bytes, load_images


def test_images_that_do_not_fit_into_memory_stay_encoded_and_have_the_same_pixels(small_data):
    manifest = Manifest.read(small_data.validation)
    needed = len(manifest) * 48 * 48 * 3
    decoded = load_images(small_data.images, manifest, 48, needed)
    encoded = load_images(small_data.images, manifest, 48, needed - 1)
    assert isinstance(decoded, np.ndarray)
    assert isinstance(encoded, EncodedImages)
    assert encoded.shape == decoded.shape == (len(manifest), 48, 48, 3)
    rows = np.random.default_rng(0).permutation(len(manifest))[:20]
    np.testing.assert_array_equal(encoded[rows], decoded[rows])
    files = sum(len(content) for content in read_encoded(small_data.images, manifest))
    assert encoded.content_bytes == files


def test_images_of_several_sizes_and_formats_come_out_alike():
    files = []
    for side, kind in ((20, "JPEG"), (32, "PNG"), (90, "JPEG")):
        buffer = io.BytesIO()
        Image.new("RGB", (side, side + 5), (10, 200, 90)).save(buffer, kind)
        files.append(buffer.getvalue())
    pixels = EncodedImages(files, 32)[np.array([2, 0, 1])].astype(int)
    assert pixels.shape == (3, 32, 32, 3)
    assert np.abs(pixels - [10, 200, 90]).max() <= 3


def test_the_free_memory_is_a_positive_number_of_bytes():
    assert 0 < free_memory_bytes() < float("inf")
