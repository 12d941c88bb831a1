"""What a picture is like, in a few numbers that tell whether new pictures are like those that a model was made from."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from components.dataset.profile import STATISTICS
from components.preprocess.near_copies import SIDE
from components.preprocess.verification import Picture

STATISTICS_BYTES = 4 * len(STATISTICS)
"""Size of the statistics of one picture: a 32-bit number each, in the order of :data:`STATISTICS`."""


def measure_pictures(pictures: Sequence[tuple[Picture, int]]) -> list[bytes]:
    """Return the statistics of pictures, ``STATISTICS_BYTES`` long each.

    Args:
        pictures: Each with the size of its file in bytes.
    """
    grey = np.frombuffer(b"".join(picture.grey for picture, _ in pictures), np.uint8)
    grey = grey.reshape(-1, SIDE, SIDE).astype(np.float32)
    laplacian = grey[:, :-2, 1:-1] + grey[:, 2:, 1:-1]
    laplacian += grey[:, 1:-1, :-2]
    laplacian += grey[:, 1:-1, 2:]
    laplacian -= 4 * grey[:, 1:-1, 1:-1]
    pixels = np.array([picture.pixels for picture, _ in pictures], np.float64)
    measured = {
        "brightness": grey.mean((1, 2)),
        "sharpness": laplacian.std((1, 2)),
        "side": np.sqrt(pixels),
        "bits_per_pixel": 8 * np.array([size for _, size in pictures], np.float64) / pixels,
    }
    packed = np.column_stack([measured[name] for name in STATISTICS]).astype(np.float32).tobytes()
    return [packed[start : start + STATISTICS_BYTES] for start in range(0, len(packed), STATISTICS_BYTES)]


def unpack_statistics(column: pa.ChunkedArray) -> dict[str, npt.NDArray[np.float32]]:
    """Return a column of statistics as numbers by name, shape ``[faces]`` each."""
    packed = column.combine_chunks()
    numbers = np.frombuffer(packed.buffers()[1] or b"", np.float32).reshape(-1, len(STATISTICS))
    return dict(zip(STATISTICS, numbers[packed.offset :][: len(packed)].T, strict=True))
