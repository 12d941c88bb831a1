import numpy as np
import pytest
import tensorflow as tf

from components.training.augmentation import Augmentation, augment, draw_changes
from components.training.settings import AugmentationSettings

NOTHING = AugmentationSettings(rotation_degrees=0, shift=0, zoom=0, horizontal_flip=False, brightness=0)


def changed_images(images, settings, seed):
    """Draw changes with a seed and make them."""
    return augment(
        tf.constant(images), **draw_changes(len(images), images.shape[1], settings, tf.constant(seed))
    ).numpy()


IMAGES = np.random.default_rng(0).integers(0, 256, (16, 24, 24, 3)).astype(np.uint8)


def test_ranges_of_zero_change_nothing():
    assert changed_images(IMAGES, NOTHING, [1, 2]) == pytest.approx(IMAGES, abs=1e-3)


def test_a_flip_mirrors_about_half_of_the_images_exactly():
    flips = NOTHING.model_copy(update={"horizontal_flip": True})
    changed = changed_images(IMAGES, flips, [1, 2])
    mirrored = [np.allclose(new, old[:, ::-1], atol=1e-3) for new, old in zip(changed, IMAGES, strict=True)]
    same = [np.allclose(new, old, atol=1e-3) for new, old in zip(changed, IMAGES, strict=True)]
    assert all(a != b for a, b in zip(mirrored, same, strict=True))
    assert 2 <= sum(mirrored) <= 14


def test_rotation_keeps_a_centred_disc_in_place():
    rows, columns = np.mgrid[:24, :24] - 11.5
    disc = np.repeat(((rows**2 + columns**2 < 64) * 200)[None, :, :, None], 16, axis=0).repeat(3, axis=3)
    turned = changed_images(disc.astype(np.uint8), NOTHING.model_copy(update={"rotation_degrees": 180.0}), [3, 4])
    inside, outside = (rows**2 + columns**2 < 36), (rows**2 + columns**2 > 100)
    assert turned[:, inside] == pytest.approx(200, abs=1e-3)
    assert turned[:, outside & (np.abs(rows) < 11) & (np.abs(columns) < 11)] == pytest.approx(0, abs=1e-3)


def test_a_turned_image_keeps_the_range_of_its_pixels():
    turned = changed_images(IMAGES, NOTHING.model_copy(update={"rotation_degrees": 180.0}), [3, 4])
    assert turned.shape == IMAGES.shape
    assert turned.min() >= 0
    assert turned.max() <= 255


def test_brightness_moves_every_pixel_alike():
    grey = np.full((8, 4, 4, 3), 128, np.uint8)
    changed = changed_images(grey, NOTHING.model_copy(update={"brightness": 0.2}), [1, 2])
    assert np.ptp(changed, axis=(1, 2, 3)) == pytest.approx(np.zeros(8), abs=1e-3)
    assert np.abs(changed - 128).max() <= 0.2 * 255 + 1e-3
    assert len(np.unique(changed[:, 0, 0, 0].round(3))) > 4


def test_brightness_as_a_factor_keeps_black_and_ratios():
    pictures = np.tile(np.array([0, 40, 120], np.uint8), (8, 4, 4, 1))
    factor = NOTHING.model_copy(update={"brightness": 0.2, "brightness_change": "factor"})
    changed = changed_images(pictures, factor, [1, 2])
    assert (changed[..., 0] == 0).all()
    assert changed[..., 2] == pytest.approx(3 * changed[..., 1], rel=1e-5)
    factors = changed[:, 0, 0, 2] / 120
    assert (np.abs(factors - 1) <= 0.2 + 1e-6).all()
    assert len(np.unique(factors.round(5))) > 4


def test_a_shift_alone_is_a_crop_of_the_image_padded_by_its_reflection():
    shifts = NOTHING.model_copy(update={"shift": 0.5})
    draws = draw_changes(16, 24, shifts, tf.constant([1, 2]))
    draws["transforms"] = tf.round(draws["transforms"])
    padded = np.pad(IMAGES, ((0, 0), (12, 12), (12, 12), (0, 0)), mode="symmetric")
    for image, source, changed in zip(
        padded, draws["transforms"].numpy(), augment(IMAGES, **draws).numpy(), strict=True
    ):
        left, top = 12 + int(source[2]), 12 + int(source[5])
        np.testing.assert_array_equal(changed, image[top : top + 24, left : left + 24])


def test_the_same_seed_gives_the_same_images_and_another_seed_others():
    settings = AugmentationSettings()
    first, again, other = (changed_images(IMAGES, settings, seed) for seed in ([1, 2], [1, 2], [1, 3]))
    assert np.array_equal(first, again)
    assert not np.allclose(first, other)


def test_a_pixel_is_what_tensorflows_own_projective_transform_gives():
    draws = draw_changes(16, 24, AugmentationSettings(shift=0.9, zoom=0.5, rotation_degrees=180), tf.constant([5, 6]))
    reference = tf.raw_ops.ImageProjectiveTransformV3(
        images=tf.cast(IMAGES, tf.float32),
        transforms=tf.concat([draws["transforms"], tf.zeros([16, 2])], axis=1),
        output_shape=[24, 24],
        interpolation="BILINEAR",
        fill_mode="REFLECT",
        fill_value=0.0,
    )
    expected = tf.clip_by_value(reference + draws["brightness"][:, 1:, None, None], 0, 255).numpy()
    assert augment(tf.constant(IMAGES), **draws).numpy() == pytest.approx(expected, abs=0.01)


def test_a_network_sees_changed_images_only_while_it_trains():
    draws = draw_changes(16, 24, AugmentationSettings(), tf.constant([1, 2]))
    layer = Augmentation()
    assert np.array_equal(layer(IMAGES, **draws, training=False), IMAGES)
    assert layer(IMAGES, **draws, training=True).numpy() == pytest.approx(augment(IMAGES, **draws).numpy(), abs=0.01)
