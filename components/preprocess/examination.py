"""Examining the files of a source: each is read, hashed and verified by one of several threads."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from components.dataset.reasons import Fault
from components.preprocess.image_statistics import measure_pictures
from components.preprocess.settings import PreprocessSettings
from components.preprocess.verification import Picture, verify_image
from components.sources.face_labels import FaceLabels, LabelReader
from components.sources.ordered_map import map_in_order
from components.sources.source import Source, parse_source
from components.sources.source_file import ListedFile

# A task for a thread costs about as much as the work on one small file: a thread takes several files at once,
# but never so many that the images in memory add up.
_BATCH_FILES = 32
_BATCH_BYTES = 1 << 20


class Examined(NamedTuple):
    """What is known about one file.

    Attributes:
        name: Path inside the source.
        content_hash: SHA-256 of the content; empty where the content was not read.
        perceptual_hash: Of a readable face, from :func:`components.preprocess.near_copies.hash_picture`; empty for
            any other file.
        verdict: The labels stated for a readable face, or what is wrong with the file.
        content: The bytes of a readable face; empty for any other file.
        statistics: Of a readable face, from :func:`components.preprocess.image_statistics.measure_pictures`; empty for
            any other file.
    """

    name: str
    content_hash: str
    perceptual_hash: bytes
    verdict: FaceLabels | Fault
    content: bytes
    statistics: bytes = b""


def examine_source(source: str, settings: PreprocessSettings) -> Iterator[Examined]:
    """Yield each file of a source, examined, in the source's order.

    Args:
        source: See :func:`components.sources.source.parse_source`.
        settings: The stage's settings.
    """
    origin = parse_source(source, settings.columns)
    yield from examine_files(origin, origin.list_files(settings.limits, settings.synthetic), settings)


def examine_files(origin: Source, files: Iterable[ListedFile], settings: PreprocessSettings) -> Iterator[Examined]:
    """Yield some files of a source, examined.

    Args:
        origin: The source.
        files: What it lists, or some of it.
        settings: The stage's settings.
    """
    examine = partial(_examine_batch, origin.reader, settings)
    for batch in map_in_order(examine, _batches(origin.fetch(files, settings.limits)), settings.workers):
        yield from batch


def _batches(files: Iterable[ListedFile]) -> Iterator[list[ListedFile]]:
    batch: list[ListedFile] = []
    size = 0
    for file in files:
        batch.append(file)
        size += file.size
        if len(batch) == _BATCH_FILES or size >= _BATCH_BYTES:
            yield batch
            batch, size = [], 0
    if batch:
        yield batch


def _examine_batch(reader: LabelReader, settings: PreprocessSettings, files: list[ListedFile]) -> list[Examined]:
    seen = [_examine(file, reader, settings) for file in files]
    # Of all pictures at once: array operations on a single small one cost more than reading its file.
    pictures = [(picture, len(file.content)) for file, picture in seen if picture is not None]
    statistics = iter(measure_pictures(pictures))
    return [file if picture is None else Examined(*file[:-1], next(statistics)) for file, picture in seen]


def _examine(listed: ListedFile, reader: LabelReader, settings: PreprocessSettings) -> tuple[Examined, Picture | None]:
    """Return a file, all but its statistics, and the picture of a readable face."""
    file = listed.read()
    name, content = file.name, file.content
    if file.fault is not None:
        return Examined(name, "", b"", file.fault, b""), None
    verdict = reader.read(listed, settings.vocabulary)
    # Pillow and, from 2 kB on, hashlib release the interpreter lock.
    content_hash = hashlib.sha256(content).hexdigest()
    if isinstance(verdict, FaceLabels):
        seen = verify_image(content, settings.min_side, settings.max_pixels)
        if isinstance(seen, Picture):
            return Examined(name, content_hash, seen.perceptual_hash, verdict, content), seen
        verdict = seen
    return Examined(name, content_hash, b"", verdict, b""), None
