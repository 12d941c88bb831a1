"""Synthetic faces: abstract pictures with UTKFace's names, labels, imbalance and faults.

They depict no group of people. Each label is coded in something that a small network can learn,
with noise, so that no classifier is right every time:

- age: size of the shape in the middle and number of rings in it, both along the square root of age;
- gender code: a tall dark or a wide light shape;
- class code: hue and pattern of the background. Classes 0 and 2 share a pattern and their hues
  overlap: where one of them is rare, a network that follows the frequencies of its training data
  mistakes it for the other.
"""

import io
import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.dataset.labels import ETHNICITIES
from components.sources.synthetic_settings import SyntheticSettings

Floats = npt.NDArray[np.float32]
Codes = npt.NDArray[np.int64]

FAULTS = ("name without race", "truncated JPEG", "empty file", "PNG named .jpg", "grey image")
"""The kinds of broken files; ``broken_files`` says how many there are of each."""

MAX_AGE = 116
"""Highest age, in years, as in UTKFace."""

_CHUNK = 64
_FIRST_AGES = np.array([1, 11, 21, 31, 41, 51, 61, 71, 81])
_WIDTHS = np.diff(_FIRST_AGES, append=MAX_AGE + 1)
_MAIN_CLASSES = len(ETHNICITIES) - 1
_FIRST_MOMENT = datetime(2017, 1, 9, tzinfo=UTC)

# Hues run from green through blue to magenta: no skin has these colours.
_HUES = np.array([0.48, 0.35, 0.58, 0.73, 0.84], np.float32)
_LOWEST_HUE, _HIGHEST_HUE = 0.28, 0.90
_HUE_SPREAD = 0.036
_STRIPES, _CHECKS, _DOTS, _WAVES = range(4)
_PATTERNS = np.array([_STRIPES, _CHECKS, _STRIPES, _DOTS, _WAVES])


def generate(settings: SyntheticSettings) -> Iterator[tuple[str, bytes]]:
    """Yield the files of a synthetic data set, in random order, only a few of them in memory at a time.

    The same settings give the same names and pixels, and, with the same version of Pillow, the same bytes.

    Args:
        settings: Number of faces, imbalance, difficulty and faults.

    Yields:
        File name ``[age]_[gender]_[race]_[timestamp].jpg.chip.jpg`` and content.
    """
    plan = _make_plan(settings, np.random.default_rng((settings.seed, 0)))
    pixels_rng = np.random.default_rng((settings.seed, 1))
    endings = map(_ending, itertools.count())
    for start in range(0, len(plan.age), _CHUNK):
        rows = slice(start, start + _CHUNK)
        pictures = _draw(plan.age[rows], plan.gender[rows], plan.race[rows], settings, pixels_rng)
        for row, picture in enumerate(pictures, start):
            label, race = f"{plan.age[row]}_{plan.gender[row]}", f"_{plan.race[row]}"
            if plan.fault[row] >= 0:
                yield _break(FAULTS[plan.fault[row]], picture, label, race, next(endings))
                continue
            content = _encode(picture, "JPEG")
            yield f"{label}{race}_{next(endings)}", content
            if plan.copied[row]:
                yield f"{plan.copy_age[row]}_{plan.copy_gender[row]}{race}_{next(endings)}", content


@dataclass(frozen=True)
class _Plan:
    """What to draw, one entry per distinct picture; a ``fault`` of −1 means a sound file; ages are in years.

    A file that is ``copied`` appears a second time, with ``copy_age`` and ``copy_gender`` in its name.
    """

    age: Codes
    gender: Codes
    race: Codes
    fault: Codes
    copied: npt.NDArray[np.bool_]
    copy_age: Codes
    copy_gender: Codes


def _make_plan(settings: SyntheticSettings, rng: np.random.Generator) -> _Plan:
    sound, broken = settings.faces, len(FAULTS) * settings.broken_files
    # Gender, class and age bin are independent.
    genders = (1 - settings.female_share, settings.female_share)
    shares = np.einsum("g,c,a->gca", genders, settings.class_shares, settings.age_shares)
    shares /= shares.sum()
    cells = np.concatenate([_sound_cells(settings, shares, rng), rng.choice(shares.size, broken, p=shares.ravel())])
    fault = np.concatenate([np.full(sound, -1), np.arange(broken) % len(FAULTS)])
    order = rng.permutation(sound + broken)
    cells, fault = cells[order], fault[order]
    gender, race, age_bin = np.unravel_index(cells, shares.shape)
    # In the last bin, which is 36 years wide, the oldest are the rarest.
    position = rng.random(len(cells)) ** np.where(age_bin == len(_FIRST_AGES) - 1, 2, 1)
    age = _FIRST_AGES[age_bin] + (position * _WIDTHS[age_bin]).astype(np.int64)
    copied = np.zeros(len(cells), np.bool_)
    copied[rng.choice(np.flatnonzero(fault < 0), round(sound * settings.duplicate_share), replace=False)] = True
    conflict = rng.random(len(cells)) < settings.conflict_share
    other_gender = rng.random(len(cells)) < 0.5
    copy_age = np.where(conflict & ~other_gender, np.where(age > 58, age - 12, age + 12), age)
    copy_gender = np.where(conflict & other_gender, 1 - gender, gender)
    return _Plan(age, gender, race, fault, copied, copy_age, copy_gender)


def _sound_cells(settings: SyntheticSettings, shares: npt.NDArray[np.float64], rng: np.random.Generator) -> Codes:
    """Return the flat index of each sound face's cell: a minimum in each cell, the rest drawn at random."""
    counts = np.zeros(shares.shape, np.int64)
    counts[:, :_MAIN_CLASSES, :-1] = settings.smallest_cell
    drawn = rng.multinomial(settings.faces - counts.sum(), shares.ravel())
    return np.repeat(np.arange(shares.size), counts.ravel() + drawn)


def _ending(serial: int) -> str:
    """Return the part of a name after the labels, different for each serial number."""
    moment = _FIRST_MOMENT + timedelta(milliseconds=1_783 * serial)
    return f"{moment:%Y%m%d%H%M%S}{moment.microsecond // 1000:03d}.jpg.chip.jpg"


def _break(fault: str, picture: npt.NDArray[np.uint8], label: str, race: str, ending: str) -> tuple[str, bytes]:
    """Return the name and content of a broken file."""
    name = f"{label}{race}_{ending}"
    if fault == "name without race":
        return f"{label}_{ending}", _encode(picture, "JPEG")
    if fault == "truncated JPEG":
        whole = _encode(picture, "JPEG")
        # The cut is in the pixels, after the marker that starts them: the first half of a small file is all header.
        return name, whole[: (whole.index(b"\xff\xda") + len(whole)) // 2]
    if fault == "empty file":
        return name, b""
    if fault == "PNG named .jpg":
        return name, _encode(picture, "PNG")
    return name, _encode(picture.mean(axis=-1).astype(np.uint8), "JPEG")


def _encode(picture: npt.NDArray[np.uint8], image_format: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(picture).save(buffer, image_format, quality=90)
    return buffer.getvalue()


def _draw(
    age: Codes, gender: Codes, race: Codes, settings: SyntheticSettings, rng: np.random.Generator
) -> npt.NDArray[np.uint8]:
    """Return the pixels of the pictures, shape ``[faces, side, side, 3]``."""
    count, side, noise = len(age), settings.image_side, settings.ambiguity
    age, gender, race = (codes[:, None, None] for codes in (age, gender, race))
    hue = np.clip(_HUES[race] + noise * _HUE_SPREAD * _normal(rng, count), _LOWEST_HUE, _HIGHEST_HUE)
    pattern = _pattern(_PATTERNS[race.ravel()], side, rng)
    inside, rings = _shape(age, gender, settings, rng)
    # The pattern darkens and lightens the background; the rings do the same to the shape, which is paler.
    strength = _uniform(rng, count, 0.10, 0.25)
    background = _uniform(rng, count, 0.52, 0.62) + strength * pattern
    middle = (0.42 + 0.30 * gender + 0.10 * noise * _normal(rng, count)).astype(np.float32)
    lightness = background + inside * (middle + 0.2 * rings - background)
    lightness += 0.04 * rng.standard_normal((count, side, side), np.float32)
    saturation = _uniform(rng, count, 0.60, 0.75) * (1 - 0.85 * inside)
    pixels: Floats = np.stack([lightness * (1 - saturation * (1 - tint)) for tint in _rgb(hue)], axis=-1)
    return np.clip(255 * pixels, 0, 255).astype(np.uint8)


def _shape(age: Codes, gender: Codes, settings: SyntheticSettings, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Return where the shape in the middle is (0 … 1) and its rings (−1 … 1), each ``[faces, side, side]``."""
    count, side, noise = len(age), settings.image_side, settings.ambiguity
    grown = np.sqrt((age - 1) / (MAX_AGE - 1)).astype(np.float32)
    radius = np.clip(0.15 + 0.85 * (grown + 0.04 * noise * _normal(rng, count)), 0.12, 1.0)
    ring_count = 0.75 + 2.5 * np.clip(grown + 0.04 * noise * _normal(rng, count), 0, 1)
    # Half the logarithm of width / height: ± 0.26 means 5 : 3 or 3 : 5.
    stretch = np.exp(0.26 * (2 * gender - 1) + 0.14 * noise * _normal(rng, count)).astype(np.float32)
    across, down = _coordinates(side, _uniform(rng, count, -0.15, 0.15), rng, jitter=0.10)
    distance = np.sqrt(np.square(across / stretch) + np.square(down * stretch)) / radius
    inside = np.clip((1 - distance) * (side * radius / 2) + 0.5, 0, 1)
    return inside, np.cos(np.float32(2 * np.pi) * ring_count * distance)


def _pattern(kind: Codes, side: int, rng: np.random.Generator) -> Floats:
    """Return the pattern of each background, −1 … 1, shape ``[faces, side, side]``."""
    count = len(kind)
    across, down = _coordinates(side, _uniform(rng, count, -0.3, 0.3), rng, jitter=0.5)
    waves_in_radians = 2 * np.pi * _uniform(rng, count, 2.0, 3.0)
    across, down = across * waves_in_radians, down * waves_in_radians
    wavy = kind == _WAVES
    down[wavy] += 1.5 * np.sin(across[wavy])
    pattern = np.sin(down)
    crossed = np.flatnonzero((kind == _CHECKS) | (kind == _DOTS))
    pattern[crossed] *= np.sin(across[crossed])
    dots = kind == _DOTS
    pattern[dots] = 2 * np.maximum(pattern[dots], 0) - 0.5
    return pattern


def _coordinates(side: int, angle: Floats, rng: np.random.Generator, jitter: float) -> tuple[Floats, Floats]:
    """Return rotated and shifted coordinates of the pixels, −1 … 1 across the image, ``[faces, side, side]`` each."""
    line = np.linspace(-1, 1, side, dtype=np.float32)
    across = line - _uniform(rng, len(angle), -jitter, jitter)
    down = line[:, None] - _uniform(rng, len(angle), -jitter, jitter)
    cosine, sine = np.cos(angle), np.sin(angle)
    return cosine * across - sine * down, sine * across + cosine * down


def _rgb(hue: Floats) -> list[Floats]:
    """Return the red, green and blue of each hue at full saturation, 0 … 1."""
    return [np.clip(np.abs((6 * hue + np.float32(turn)) % 6 - 3) - 1, 0, 1) for turn in (0, 4, 2)]


def _normal(rng: np.random.Generator, count: int) -> Floats:
    """Return a normally distributed number for each face, shape ``[faces, 1, 1]``."""
    return rng.standard_normal((count, 1, 1), np.float32)


def _uniform(rng: np.random.Generator, count: int, low: float, high: float) -> Floats:
    """Return a uniformly distributed number for each face, shape ``[faces, 1, 1]``."""
    return np.float32(low) + np.float32(high - low) * rng.random((count, 1, 1), np.float32)


def draw_labels(settings: SyntheticSettings) -> Codes:
    """Return age, gender and class code of every sound file, copies included, without drawing pictures.

    Returns:
        Shape ``[files, 3]``, in no particular order.
    """
    plan = _make_plan(settings, np.random.default_rng((settings.seed, 0)))
    sound, copied = plan.fault < 0, plan.copied
    originals = np.stack([plan.age, plan.gender, plan.race], axis=-1)[sound]
    copies = np.stack([plan.copy_age, plan.copy_gender, plan.race], axis=-1)[copied]
    return np.concatenate([originals, copies])
