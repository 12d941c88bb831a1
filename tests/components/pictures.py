"""Abstract pictures and archives made on the spot."""

import io
import tarfile
import zipfile

import numpy as np
from PIL import Image


def encode_picture(seed=0, *, size=(40, 40), mode="RGB", file_format="JPEG", **options):
    """Return the bytes of a picture of random blocks."""
    width, height = size
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8 + 1, width // 8 + 1, 3), dtype=np.uint8)
    pixels = blocks.repeat(8, axis=0).repeat(8, axis=1)[:height, :width]
    buffer = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(buffer, file_format, **options)
    return buffer.getvalue()


def pack_tar(members, mode="w:gz"):
    """Return a tar of names and contents; a content may be a prepared TarInfo without data."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in members:
            if isinstance(content, tarfile.TarInfo):
                archive.addfile(content)
                continue
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def pack_zip(members, compression=zipfile.ZIP_STORED):
    """Return a zip of names (or prepared ZipInfos) and contents."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members:
            archive.writestr(name, content)
    return buffer.getvalue()
