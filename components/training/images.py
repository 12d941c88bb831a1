"""The pixels of many faces, decoded once where they fit into memory, or again for every batch."""

import math
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.batched import batched
from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.model.decoding import decode_and_resize

_IMAGES_AT_ONCE = 64


class Images(Protocol):
    """The pixels of some faces; a NumPy array is one.

    Attributes:
        shape: ``(faces, size, size, 3)``.
    """

    shape: tuple[int, ...]

    def __len__(self) -> int:
        """Return the number of faces."""
        ...

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.uint8]:
        """Return the pixels of some faces, 0 … 255, shape ``[rows, size, size, 3]``."""
        ...


def load_images(
    images_path: str | os.PathLike[str],
    manifest: Manifest,
    size: int,
    memory_bytes: float = float("inf"),
    file: Path | None = None,
) -> Images:
    """Return the images of a manifest, in its order.

    Args:
        images_path: Directory of image shards.
        manifest: Which faces.
        size: Side of an image, in pixels.
        memory_bytes: Memory that decoded images may take. Where they need more they stay encoded, which takes a
            thirtieth, and every batch is decoded anew: the same pixels, for more work.
        file: Where to keep decoded images for other processes; if it exists, they are there already. Without it they
            are kept in a temporary file, which is deleted at once and whose space is freed with the images.
    """
    shape = (len(manifest), size, size, 3)
    if file is not None and file.exists():
        return np.memmap(file, np.uint8, "r", shape=shape)
    encoded = read_encoded(images_path, manifest)
    if math.prod(shape) > memory_bytes:
        return EncodedImages(encoded, size)
    # In a file they fill the page cache, which the kernel can empty, and not the process's memory. Written to the
    # file rather than through the map, they cost no page faults.
    with tempfile.TemporaryFile() if file is None else file.open("w+b") as storage:
        for batch in batched(encoded, _IMAGES_AT_ONCE):
            storage.write(memoryview(_decode(batch, size)))
        storage.flush()
        return np.memmap(storage, np.uint8, "r", shape=shape) if len(manifest) else np.zeros(shape, np.uint8)


class EncodedImages:
    """Images that are decoded whenever they are read.

    The files lie one after the other in a temporary file, so that any of them is at hand: training visits the
    faces in the same order as with decoded images, however many there are.

    Args:
        encoded: JPEG or PNG files.
        size: Side of the decoded images, in pixels.
    """

    def __init__(self, encoded: Iterable[bytes], size: int) -> None:
        lengths = []
        with tempfile.TemporaryFile() as storage:
            for content in encoded:
                lengths.append(len(content))
                storage.write(content)
            storage.flush()
            self._content = np.memmap(storage, np.uint8, "r") if lengths else np.zeros(0, np.uint8)
        self._stops = np.cumsum(lengths, dtype=np.int64)
        self._starts = self._stops - lengths
        self.shape: tuple[int, ...] = (len(lengths), size, size, 3)

    @property
    def content_bytes(self) -> int:
        """Size of the files together, in bytes."""
        return len(self._content)

    def __len__(self) -> int:
        """Return the number of faces."""
        return len(self._stops)

    def __getitem__(self, rows: Any, /) -> npt.NDArray[np.uint8]:
        """Return the pixels of some faces, 0 … 255, shape ``[rows, size, size, 3]``."""
        places = zip(self._starts[rows].tolist(), self._stops[rows].tolist(), strict=True)
        files = [self._content[start:stop].tobytes() for start, stop in places]
        return np.asarray(memoryview(_decode(files, self.shape[1])))


def _decode(encoded: list[bytes], size: int) -> tf.Tensor:
    return _decode_batch(tf.constant(encoded, tf.string), size)


@tf.function(jit_compile=False, reduce_retracing=True)  # type: ignore[untyped-decorator]
def _decode_batch(encoded: tf.Tensor, size: int) -> tf.Tensor:
    return tf.map_fn(lambda content: decode_and_resize(content, size), encoded, fn_output_signature=tf.uint8)


def free_memory_bytes() -> float:
    """Return how much memory this process can still take: what the machine has left, or its container."""
    free = [_machine_free_bytes()]
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        used = float(Path("/sys/fs/cgroup/memory.current").read_text())
        # The page cache counts as used, but the kernel gives it back.
        cached = dict(line.split() for line in Path("/sys/fs/cgroup/memory.stat").read_text().splitlines())
        free.append(float(limit) - used + float(cached.get("inactive_file", 0)))
    except (OSError, ValueError):
        pass  # Not in a container with a limit ("max").
    return max(0.0, min(free))


def _machine_free_bytes() -> float:
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
        return next(1024.0 * float(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return float(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")) / 2
