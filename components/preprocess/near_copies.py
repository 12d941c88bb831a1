"""Near-copies: faces whose pictures are one photograph, saved, scaled, cropped or mirrored differently.

A picture's hash is the 256-bit DCT hash of ImageHash: whether each of the 16 × 16 lowest frequencies of 32 × 32 grey
pixels is above their median (Zauner 2010, "Implementation and Benchmarking of Perceptual Image Hash Functions", there
with 64 bits). Aligned faces resemble each other in the 64 lowest frequencies, so these alone can't tell a copy from
another person; but they are what a copy keeps best. So they find the candidates, and all 256 decide.

A mirrored copy is a copy, all the more where training mirrors pictures: mirroring turns the sign of every other
column of frequencies.
"""

import logging
from collections.abc import Iterator

import imagehash
import numpy as np
import numpy.typing as npt
from PIL import Image
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

_log = logging.getLogger(__name__)

HASH_BYTES = 32
SIDE = 32
"""Side of the grey picture that is hashed, in pixels."""

Hashes = npt.NDArray[np.uint64]
"""Shape ``[faces, 4]``; the 64 lowest frequencies of each hash come first."""
_Rows = npt.NDArray[np.int64]

_FREQUENCIES = 16
_LOWEST_FIRST = np.argsort(np.indices((_FREQUENCIES, _FREQUENCIES)).max(0).ravel() >= 8, kind="stable")
_MIRRORED = np.frombuffer(
    np.packbits((np.indices((_FREQUENCIES, _FREQUENCIES))[1] % 2).ravel()[_LOWEST_FIRST]).tobytes(), np.uint64
)
"""Bits that mirroring turns; a few more where a frequency is close to the median."""
_BANDS, _BAND_BITS = 4, 16
_BLOCK_PAIRS = 1 << 18
_MOST_COMPARED = 10_000
"""A crowd of pictures without content must not take days. Of a million faces some hundreds meet in a band."""


def shrink_picture(image: Image.Image) -> Image.Image:
    """Return the grey picture, ``SIDE`` × ``SIDE`` pixels, that a decoded picture in any mode is hashed from."""
    if image.mode.startswith("I"):  # Pillow would turn all but the darkest of 16-bit greys into white.
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    grey = image if image.mode == "L" else image.convert("L")
    return grey.resize((SIDE, SIDE), Image.Resampling.LANCZOS)


def hash_picture(small: Image.Image) -> bytes:
    """Return the perceptual hash of a picture, ``HASH_BYTES`` long, the 64 lowest frequencies first.

    Args:
        small: The picture, from :func:`shrink_picture`.
    """
    found = imagehash.phash(small, hash_size=_FREQUENCIES, highfreq_factor=SIDE // _FREQUENCIES)
    return np.packbits(found.hash.ravel()[_LOWEST_FIRST]).tobytes()


def group_near_copies(hashes: Hashes, most_bits: int) -> npt.NDArray[np.int32]:
    """Return the group of each picture, shape ``[faces]``: near-copies, and near-copies of near-copies, share one.

    Two pictures are near-copies if their hashes differ in at most ``most_bits`` bits, at most a quarter of those
    among the 64 lowest frequencies. Pairs are looked up in four bands of those 64 bits: where no more than seven
    differ, one band is equal or differs in one bit, and the pair is found. A pair that differs in more may be missed.
    Memory grows with the number of pictures, never with that of the pairs.

    Args:
        hashes: Hashes of the pictures, from :func:`hash_picture`.
        most_bits: Largest distance of near-copies.
    """
    # Equal hashes would meet in every band.
    rows = np.ascontiguousarray(hashes).view(f"V{HASH_BYTES}").ravel()
    _, first, hash_of = np.unique(rows, return_index=True, return_inverse=True)
    distinct = np.concatenate([hashes[first], hashes[first] ^ _MIRRORED])
    found = [np.zeros((0, 2), np.int64)]
    for left, right in _candidates(distinct[:, 0], most_bits // 4):
        near = np.bitwise_count(distinct[left] ^ distinct[right]).sum(axis=1, dtype=np.int64) <= most_bits
        found.append(np.column_stack([left[near], right[near]]) % len(first))
    left, right = np.concatenate(found).T
    graph = coo_array((np.ones(len(left), bool), (left, right)), shape=(len(first),) * 2)
    _, group_of = connected_components(graph, directed=False)
    groups: npt.NDArray[np.int32] = group_of.astype(np.int32)[hash_of]
    return groups


def _candidates(lowest: npt.NDArray[np.uint64], most_bits: int) -> Iterator[tuple[_Rows, _Rows]]:
    """Yield pairs of rows whose 64 bits differ in at most ``most_bits``; a pair may come more than once."""
    crowded = 0
    for band in range(_BANDS):
        keys = (lowest >> np.uint64(band * _BAND_BITS) & np.uint64((1 << _BAND_BITS) - 1)).astype(np.int64)
        order = np.argsort(keys, kind="stable")
        keys, bits = keys[order], lowest[order]
        bounds = np.searchsorted(keys, np.arange((1 << _BAND_BITS) + 1))
        for flipped in (0, *(1 << bit for bit in range(_BAND_BITS))):
            others = keys ^ flipped
            rows = np.flatnonzero(keys <= others)
            first = bounds[others[rows]] if flipped else rows + 1
            counts = bounds[others[rows] + 1] - first
            crowded += int((counts > _MOST_COMPARED).sum())
            counts = np.minimum(counts, _MOST_COMPARED)
            for left, right in _blocks(rows, first, counts):
                near = np.bitwise_count(bits[left] ^ bits[right]) <= most_bits
                yield order[left[near]], order[right[near]]
    if crowded:
        _log.warning(
            "near-copies: many pictures are almost alike, so only %d of each crowd were compared", _MOST_COMPARED
        )


def _blocks(rows: _Rows, first: _Rows, counts: _Rows) -> Iterator[tuple[_Rows, _Rows]]:
    """Yield the pairs of each row with the ``counts`` rows from ``first`` on, some thousands at a time."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    cuts = np.unique(np.searchsorted(ends, np.arange(_BLOCK_PAIRS, total + _BLOCK_PAIRS, _BLOCK_PAIRS)) + 1)
    start = 0
    for stop in cuts.tolist():
        block = slice(start, stop)
        sizes = counts[block]
        left = np.repeat(rows[block], sizes)
        offsets = first[block] - (np.cumsum(sizes) - sizes)
        yield left, np.arange(len(left)) + np.repeat(offsets, sizes)
        start = stop
