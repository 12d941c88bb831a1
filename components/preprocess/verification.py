"""Full decoding of an image, so that no later stage meets one that it can't read, and what is told from its pixels."""

import io
import struct
import zlib
from collections.abc import Callable
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from PIL.JpegImagePlugin import JpegImageFile

from components.dataset.reasons import Fault, Reason
from components.preprocess.near_copies import SIDE, hash_picture, shrink_picture

_FORMATS = ("JPEG", "PNG")
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"
_JPEG_END = 0xD9
# Escaped 0xFF bytes and restart markers are part of the pixel data.
_JPEG_NO_SEGMENT = frozenset({0x00, 0x01, *range(0xD0, 0xD9)})
_FEW_PIXELS = 1 << 21
"""Pixels in 2^15 blocks of 64."""
_DECODE_ERRORS = (
    OSError,
    SyntaxError,  # What Pillow raises for a broken PNG chunk.
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    EOFError,
    struct.error,
    zlib.error,
)


class Picture(NamedTuple):
    """What is told from the pixels of a sound image.

    Attributes:
        perceptual_hash: From :func:`components.preprocess.near_copies.hash_picture`.
        grey: ``SIDE`` × ``SIDE`` grey pixels, a byte each, row by row.
        pixels: Width times height.
    """

    perceptual_hash: bytes
    grey: bytes
    pixels: int


def verify_image(content: bytes, min_side: int, max_pixels: int) -> Picture | Fault:
    """Return what is told from the pixels of a sound image, or what is wrong with it.

    The content counts, not the name: a PNG named ``.jpg`` is fine. Any size from ``min_side`` up is
    fine, and so is grey. CMYK is not: its RGB colours depend on a print profile that decoders
    ignore. What passes here is what ``tf.io.decode_image`` reads.

    Args:
        content: The file's bytes.
        min_side: Smallest side allowed, in pixels.
        max_pixels: Most pixels allowed; checked before anything is decompressed.
    """
    if not content:
        return Fault(Reason.ZERO_BYTES)
    # What fails small and grey fails in full, too, and then the fault is named by the plain decoder.
    verdict = _decode(content, min_side, max_pixels, _shrink)
    return verdict if isinstance(verdict, Picture) else _decode(content, min_side, max_pixels, lambda image: None)


def _decode(content: bytes, min_side: int, max_pixels: int, prepare: Callable[[Image.Image], None]) -> Picture | Fault:
    try:
        with Image.open(io.BytesIO(content), formats=_FORMATS) as image:
            pixels = image.width * image.height
            fault = _size_fault(image, min_side, max_pixels) or _decoding_fault(image, content, prepare)
            if fault is not None:
                return fault
            small = shrink_picture(image)
            return Picture(hash_picture(small), small.tobytes(), pixels)
    except Image.DecompressionBombError:
        return Fault(Reason.TOO_MANY_PIXELS, f"more than {max_pixels} pixels")
    except UnidentifiedImageError:
        return Fault(Reason.OTHER_CONTENT, f"the content starts with {content[:8].hex(' ')}")
    except _DECODE_ERRORS as error:
        reason = Reason.TRUNCATED if "truncated" in str(error).lower() else Reason.DAMAGED
        return Fault(reason, str(error))


def _size_fault(image: Image.Image, min_side: int, max_pixels: int) -> Fault | None:
    size = f"{image.width} × {image.height} pixels"
    if image.width * image.height > max_pixels:
        return Fault(Reason.TOO_MANY_PIXELS, f"{size}, at most {max_pixels} in total allowed")
    if min(image.size) < min_side:
        return Fault(Reason.TOO_SMALL, f"{size}, at least {min_side} on each side needed")
    return None


def _shrink(image: Image.Image) -> None:
    """Let the decoder leave out the arithmetic on colours and on detail, which costs half of its time and can't fail.

    It still reads every bit of every component, luminance and colours alike, and that is where a damaged file is
    found out. What it makes is grey and small, but no smaller than what is hashed.

    An image for which the arithmetic could fail is left as it is: one whose components do not fit into each other
    by whole factors, or one with so many blocks that a hostile sum of 15-bit differences would not fit into 32 bits.
    """
    if not isinstance(image, JpegImageFile) or image.mode != "RGB" or image.width * image.height > _FEW_PIXELS:
        return
    widest, highest = (max(layer[axis] for layer in image.layer) for axis in (1, 2))
    if all(layer[1] and layer[2] and not (widest % layer[1] or highest % layer[2]) for layer in image.layer):
        image.draft("L", (SIDE, SIDE))


def _decoding_fault(image: Image.Image, content: bytes, prepare: Callable[[Image.Image], None]) -> Fault | None:
    if image.mode == "CMYK":
        return Fault(Reason.CMYK, "convert it to RGB")
    prepare(image)
    image.load()
    # Loading stops at the last pixel; TensorFlow also needs the rest of the file intact.
    if image.format == "PNG":
        if _PNG_END not in content:
            return Fault(Reason.TRUNCATED, "the PNG has no end marker")
        with Image.open(io.BytesIO(content), formats=("PNG",)) as again:
            again.verify()
    elif not _reaches_jpeg_end(content):
        return Fault(Reason.TRUNCATED, "the JPEG has no end marker")
    return None


def _reaches_jpeg_end(content: bytes) -> bool:
    """Return whether walking from marker to marker, over their segments, reaches the end marker."""
    position = 2
    # The last byte can't start a marker.
    while (start := content.find(0xFF, position, -1)) >= 0:
        code = content[start + 1]
        if code == _JPEG_END:
            return True
        if code == 0xFF:  # Any number of these may precede a marker's code.
            position = start + 1
        elif code in _JPEG_NO_SEGMENT:
            position = start + 2
        else:
            position = start + 2 + max(int.from_bytes(content[start + 2 : start + 4], "big"), 2)
    return False
