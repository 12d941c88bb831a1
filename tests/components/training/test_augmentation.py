import numpy as np
import pytest
import tensorflow as tf

from components.training.augmentation import augment
from components.training.settings import AugmentationSettings

NOTHING = AugmentationSettings(rotation_degrees=0, shift=0, zoom=0, horizontal_flip=False, brightness=0)
IMAGES = np.random.default_rng(0).integers(0, 256, (16, 24, 24, 3)).astype(np.uint8)


def test_ranges_of_zero_change_nothing():
    assert augment(tf.constant(IMAGES), NOTHING, tf.constant([1, 2])).numpy() == pytest.approx(IMAGES, abs=1e-3)


def test_a_flip_mirrors_about_half_of_the_images_exactly():
    flips = NOTHING.model_copy(update={"horizontal_flip": True})
    changed = augment(tf.constant(IMAGES), flips, tf.constant([1, 2])).numpy()
    mirrored = [np.allclose(new, old[:, ::-1], atol=1e-3) for new, old in zip(changed, IMAGES, strict=True)]
    same = [np.allclose(new, old, atol=1e-3) for new, old in zip(changed, IMAGES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 2 <= sum(mirrored) <= 14


def test_rotation_keeps_a_centred_disc_in_place():
    rows, columns = np.mgrid[:24, :24] - 11.5
    disc = np.repeat(((rows**2 + columns**2 < 64) * 200)[None, :, :, None], 16, axis=0).repeat(3, axis=3)
    turned = augment(
        tf.constant(disc, tf.uint8), NOTHING.model_copy(update={"rotation_degrees": 180.0}), tf.constant([3, 4])
    ).numpy()
    inside, outside = (rows**2 + columns**2 < 36), (rows**2 + columns**2 > 100)
    assert turned[:, inside] == pytest.approx(200, abs=1e-3)
    assert turned[:, outside & (np.abs(rows) < 11) & (np.abs(columns) < 11)] == pytest.approx(0, abs=1e-3)


def test_a_turned_image_keeps_the_range_of_its_pixels():
    turned = augment(tf.constant(IMAGES), NOTHING.model_copy(update={"rotation_degrees": 180.0}), tf.constant([3, 4]))
    assert turned.shape == IMAGES.shape
    assert float(tf.reduce_min(turned)) >= 0
    assert float(tf.reduce_max(turned)) <= 255


def test_brightness_moves_every_pixel_alike():
    grey = np.full((8, 4, 4, 3), 128, np.uint8)
    changed = augment(tf.constant(grey), NOTHING.model_copy(update={"brightness": 0.2}), tf.constant([1, 2])).numpy()
    assert np.ptp(changed, axis=(1, 2, 3)) == pytest.approx(np.zeros(8), abs=1e-3)
    assert np.abs(changed - 128).max() <= 0.2 * 255 + 1e-3
    assert len(np.unique(changed[:, 0, 0, 0].round(3))) > 4


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    settings = AugmentationSettings()
    first, again, other = (
        augment(tf.constant(IMAGES), settings, tf.constant(seed)).numpy() for seed in ([1, 2], [1, 2], [1, 3])
    )
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)
