import io

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from components.dataset.reasons import Fault, Reason
from components.model.decoding import decode_and_resize
from components.preprocess.verification import verify_image


def reason_of(content, min_side=32, max_pixels=10_000):
    verdict = verify_image(content, min_side, max_pixels)
    return verdict.reason if isinstance(verdict, Fault) else None


@pytest.mark.parametrize("size", [(32, 32), (40, 40), (100, 60)])
@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_jpeg_and_png_of_any_size_in_colour_or_grey_are_used_as_they_are(picture, size, mode, file_format):
    assert reason_of(picture(size=size, mode=mode, file_format=file_format)) is None


def test_what_is_no_image_is_told_apart_from_what_is_broken(picture):
    content = picture()
    assert reason_of(b"") is Reason.ZERO_BYTES
    assert reason_of(b"not an image at all") is Reason.OTHER_CONTENT
    assert reason_of(picture(file_format="BMP")) is Reason.OTHER_CONTENT
    assert reason_of(content[: len(content) // 2]) is Reason.TRUNCATED
    assert reason_of(picture(mode="CMYK")) is Reason.CMYK


def test_a_png_cut_in_its_last_bytes_is_truncated(picture):
    assert reason_of(picture(file_format="PNG")[:-3]) is Reason.TRUNCATED


def test_a_jpeg_that_never_reaches_its_end_mark_is_truncated(picture):
    content = picture()
    without_mark = content[:-2] + b"xx"
    middle = content.index(b"\xff\xda") + 60  # Among the pixels, behind the header of the scan.
    segment_beyond_the_end = content[:middle] + b"\xff\xe2\xf0\x00" + content[middle + 4 :]
    for damaged in (without_mark, segment_beyond_the_end):
        assert reason_of(damaged) is Reason.TRUNCATED
        with pytest.raises(tf.errors.InvalidArgumentError):
            tf.io.decode_image(damaged)


def test_colours_that_no_decoder_can_spread_over_the_pixels_are_noticed(picture):
    damaged = bytearray(picture())
    sampling = damaged.index(b"\xff\xc0") + 11
    damaged[sampling], damaged[sampling + 3] = 0x31, 0x21  # Three columns of luminance to two of colour.
    assert reason_of(bytes(damaged)) is Reason.DAMAGED
    with pytest.raises(tf.errors.InvalidArgumentError):
        tf.io.decode_image(bytes(damaged))


def test_size_limits_hold_before_any_pixel_is_decompressed(picture):
    assert reason_of(picture(size=(31, 40))) is Reason.TOO_SMALL
    huge_header_and_nothing_else = picture(size=(101, 100), file_format="PNG")[:60]
    assert reason_of(huge_header_and_nothing_else) is Reason.TOO_MANY_PIXELS


@pytest.mark.parametrize(
    ("file_format", "options"),
    [
        ("JPEG", {}),
        ("JPEG", {"progressive": True}),
        ("JPEG", {"subsampling": "4:4:4"}),
        ("JPEG", {"subsampling": "4:2:2", "restart_marker_blocks": 2}),
        ("PNG", {}),
    ],
)
def test_tensorflow_decodes_whatever_passes(picture, file_format, options):
    rng = np.random.default_rng(0)
    sound = picture(file_format=file_format, **options)
    passed = 0
    for cut in [0] * 60 + list(range(1, 40)):
        damaged = bytearray(sound[: len(sound) - cut])
        if not cut:
            damaged[rng.integers(2, len(damaged))] = rng.integers(256)
        if reason_of(bytes(damaged)) is None:
            passed += 1
            pixels = tf.io.decode_image(bytes(damaged), channels=3, expand_animations=False)
            assert pixels.shape[-1] == 3
    assert reason_of(sound) is None
    assert passed or file_format == "PNG"


def pixels_of(content, side=40):
    return decode_and_resize(tf.constant(content), side).numpy()


def saved(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
def test_every_kind_of_png_that_preprocess_takes_is_served_with_its_colours_and_without_transparency(picture, mode):
    content = picture(mode=mode, file_format="PNG")
    assert reason_of(content) is None
    with Image.open(io.BytesIO(content)) as image:
        expected = np.asarray(image.convert("RGBA" if mode in ("LA", "P", "RGBA") else "RGB"))[..., :3]
    np.testing.assert_array_equal(pixels_of(content), expected)


def test_16_bit_png_loses_its_lower_half(picture):
    grey = np.random.default_rng(1).integers(0, 65536, (40, 40), dtype=np.uint16)
    content = saved(grey)
    assert reason_of(content) is None
    np.testing.assert_array_equal(pixels_of(content), np.repeat((grey >> 8)[..., None], 3, axis=2))


@pytest.mark.parametrize("file_format", ["BMP", "GIF", "WEBP", "TIFF"])
def test_other_formats_are_refused_by_preprocess_and_by_what_is_served(picture, file_format):
    content = picture(file_format=file_format)
    assert reason_of(content) is Reason.OTHER_CONTENT
    with pytest.raises(tf.errors.InvalidArgumentError, match="neither JPEG nor PNG"):
        pixels_of(content)


def test_an_orientation_in_the_exif_data_turns_nothing_on_either_side(picture):
    plain, exif = picture(), Image.Exif()
    exif[0x0112] = 6  # Turned by 90 degrees.
    turned = picture(exif=exif)
    assert turned != plain
    assert verify_image(turned, 32, 10_000) == verify_image(plain, 32, 10_000)
    np.testing.assert_array_equal(pixels_of(turned), pixels_of(plain))
