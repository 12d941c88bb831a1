"""Examining the files of a source: each is read, hashed and verified by one of several threads."""

import hashlib
from collections.abc import Iterable, Iterator
from functools import partial
from typing import NamedTuple

from components.dataset.reasons import Fault
from components.preprocess.settings import PreprocessSettings
from components.preprocess.verification import verify_image
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
    """

    name: str
    content_hash: str
    perceptual_hash: bytes
    verdict: FaceLabels | Fault
    content: bytes


def examine_source(source: str, settings: PreprocessSettings) -> Iterator[Examined]:
    """Yield each file of a source, examined, in the source's order.

    Args:
        source: See :func:`components.sources.source.parse_source`.
        settings: The stage's settings.
    """
    origin = parse_source(source, settings.table)
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
    return [_examine(file, reader, settings) for file in files]


def _examine(listed: ListedFile, reader: LabelReader, settings: PreprocessSettings) -> Examined:
    file = listed.read()
    name, content = file.name, file.content
    if file.fault is not None:
        return Examined(name, "", b"", file.fault, b"")
    verdict = reader.read(listed, settings.vocabulary)
    seen: bytes | Fault = b""
    if isinstance(verdict, FaceLabels):
        seen = verify_image(content, settings.min_side, settings.max_pixels)
    # Pillow and, from 2 kB on, hashlib release the interpreter lock.
    content_hash = hashlib.sha256(content).hexdigest()
    if isinstance(seen, Fault):
        verdict, seen = seen, b""
    return Examined(name, content_hash, seen, verdict, content if isinstance(verdict, FaceLabels) else b"")
