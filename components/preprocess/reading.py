"""Packing examined files into shards: memory holds one row of text per file, never all images."""

import hashlib
import logging
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from heapq import merge
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa

from components.dataset.reasons import CANDIDATES, FAULTS, LABEL_FAULTS, Fault, Reason
from components.dataset.shards import ShardWriter
from components.dataset.tables import TableBuilder
from components.errors import DataError
from components.preprocess.examination import Examined
from components.preprocess.image_statistics import STATISTICS_BYTES, unpack_statistics
from components.preprocess.near_copies import HASH_BYTES, Hashes
from components.preprocess.settings import PreprocessSettings
from components.sources.face_labels import UNREAD, FaceLabels
from components.sources.fingerprint import common_root, content_fingerprint
from components.sources.source import Source
from components.sources.source_file import IMAGE_SUFFIXES

_log = logging.getLogger(__name__)

_PROGRESS_EVERY = 2000
_REPEATED = Fault(Reason.REPEATED_NAME, "an earlier file of the source has the same path")
_FACES = pa.schema(
    [(name, pa.string()) for name in ("file_name", "content_hash", "image_id", "shard")]
    + [("row", pa.int32()), ("age", pa.int16()), ("gender", pa.int8()), ("race", pa.int8())]
    + [("perceptual_hash", pa.binary(HASH_BYTES)), ("statistics", pa.binary(STATISTICS_BYTES))]
)
_REJECTS = pa.schema([(name, pa.string()) for name in ("file_name", "content_hash", "reason", "detail")])


@dataclass(frozen=True)
class Reading:
    """Everything that a source held.

    Attributes:
        faces: Every readable face, sorted by ``file_name``: its place in the shards, its hash, and
            ``age``, ``gender`` and ``race`` as the source states them.
        rejects: Every other file, sorted by ``file_name``: ``content_hash`` (empty where the
            content was not read), ``reason`` and ``detail``.
        hashes: The perceptual hash of each face.
        statistics: Shape ``[faces]`` each: the statistics of each face's picture, by name.
    """

    faces: pd.DataFrame
    rejects: pd.DataFrame
    hashes: Hashes
    statistics: dict[str, npt.NDArray[np.float32]]

    @property
    def files(self) -> int:
        """Number of files in the source."""
        return len(self.faces) + len(self.rejects)

    @property
    def faults(self) -> pd.DataFrame:
        """The rejects that are themselves faulty."""
        return self.rejects[self.rejects["reason"].isin(FAULTS)]

    @property
    def fingerprint(self) -> str:
        """The identity of the data: SHA-256 over the name and content of every file that could be a face."""
        columns = ["file_name", "content_hash"]
        candidates = self.rejects[self.rejects["reason"].isin(CANDIDATES)]
        parts = [part[columns] for part in (self.faces, candidates) if len(part)]
        ends = [part["file_name"].iloc[end] for part in parts for end in (0, -1)]
        files = merge(*(part.itertuples(index=False, name=None) for part in parts))
        return content_fingerprint(files, common_root(min(ends), max(ends)) if ends else "")


def pack(files: Iterable[Examined], origin: Source, settings: PreprocessSettings, images_folder: Path) -> Reading:
    """Pack every readable face of a source and note every other file.

    Args:
        files: Every file of the source, in its order.
        origin: The source.
        settings: The stage's settings.
        images_folder: Directory of the shards to write. They hold every readable face in order of
            arrival, including those dropped later: it is not yet known which they are.

    Raises:
        DataError: If the source holds no faces or too many faulty files.
    """
    faces, rejects = TableBuilder(_FACES), TableBuilder(_REJECTS)
    names: set[str] = set()
    ids = _Ids()
    with ShardWriter(images_folder, int(settings.shard_megabytes * 2**20)) as shards:
        for count, (name, content_hash, perceptual_hash, examined, content, statistics) in enumerate(files, 1):
            verdict = _REPEATED if name in names and isinstance(examined, FaceLabels) else examined
            names.add(name)
            if isinstance(verdict, Fault):
                rejects.add((name, content_hash, verdict.reason, verdict.detail))
            else:
                image_id = ids.give(name, content_hash)
                place = shards.add(image_id, content)
                labels = verdict.age, verdict.gender, verdict.race
                faces.add((name, content_hash, image_id, *place, *labels, perceptual_hash, statistics))
            if count % _PROGRESS_EVERY == 0:
                _log.info("%d files read: %d faces, %d rejected", count, len(faces), len(rejects))
    del names
    table = faces.build().sort_by("file_name")
    hashes = _hashes(table["perceptual_hash"])
    pictures = unpack_statistics(table["statistics"])
    table = table.drop_columns(["perceptual_hash", "statistics"])
    reading = Reading(
        ids.settle(table.to_pandas(split_blocks=True, self_destruct=True)),
        rejects.build().sort_by([("file_name", "ascending"), ("content_hash", "ascending")]).to_pandas(),
        hashes,
        pictures,
    )
    _check(reading, origin, settings)
    return reading


def _hashes(column: pa.ChunkedArray) -> Hashes:
    """Return a column of perceptual hashes as numbers."""
    hashes = column.combine_chunks()
    words = np.frombuffer(hashes.buffers()[1] or b"", np.uint64).reshape(-1, HASH_BYTES // 8)
    return words[hashes.offset :][: len(hashes)]


class _Ids:
    """Gives each face a short name that depends on its content and its own file name alone.

    Folders don't count, because the same faces may be packed with them or without. Where faces have the same content
    and the same file name, in different folders, they are numbered.
    """

    def __init__(self) -> None:
        # Eight bytes each: there may be millions.
        self._given: set[int] = set()
        self._copies: Counter[tuple[str, str]] = Counter()

    def give(self, path: str, content_hash: str) -> str:
        """Return the name of the face that has just been read."""
        name = path.rpartition("/")[2]
        digest = hashlib.sha256(f"{content_hash}\0{name}".encode())
        short = int.from_bytes(digest.digest()[:8], "big")
        if short in self._given:
            self._copies[content_hash, name] += 1
            digest.update(f"\0{self._copies[content_hash, name]}".encode())
        self._given.add(short)
        return digest.hexdigest()[:20]

    def settle(self, faces: pd.DataFrame) -> pd.DataFrame:
        """Number the copies by their paths: any of them may stand for any other, since their bytes are the same."""
        if not self._copies:
            return faces
        copied = faces[faces["content_hash"].isin({content_hash for content_hash, _ in self._copies})]
        names = copied["file_name"].str.rpartition("/")[2]
        order = np.arange(len(faces))
        for _, group in copied.groupby([copied["content_hash"], names]):
            order[group.index] = group.sort_values(["shard", "row"]).index
        places = ("image_id", "shard", "row")
        return faces.assign(**{name: faces[name].take(order).set_axis(faces.index) for name in places})


def _check(reading: Reading, origin: Source, settings: PreprocessSettings) -> None:
    """Check that the source holds faces and not too many faulty files."""
    source = origin.name
    if reading.files == 0:
        raise DataError(f"The source {source} holds no file", remedy="fill it, or pass --source another one")
    faults = reading.faults
    candidates = len(reading.faces) + len(faults)
    if candidates == 0:
        raise DataError(
            f"The source {source} holds {reading.files} files, but none is an image ({', '.join(IMAGE_SUFFIXES)})",
            remedy="pass the folder or archive with the faces as --source",
        )
    misnamed = faults[faults["reason"].isin(LABEL_FAULTS)]
    if len(misnamed) == candidates:
        first = misnamed.iloc[0]
        example = f"'{first['file_name']}': {first['reason']}" + (f", {first['detail']}" if origin.is_table else "")
        error = origin.reader.misfit(source, candidates, example)
        raise DataError(error.problem, remedy=error.remedy + _switch(faults))
    top = ", ".join(f"{reason} ({count})" for reason, count in Counter(faults["reason"]).most_common(3))
    if len(faults) == candidates:
        raise DataError(
            f"All {candidates} images in {source} are faulty, mostly {top}", remedy="repair or replace them"
        )
    if len(faults) > settings.max_reject_fraction * candidates:
        raise DataError(
            f"{len(faults)} of the {candidates} images in {source} ({len(faults) / candidates:.1%}) are faulty, mostly "
            f"{top}",
            remedy="repair or remove them, or raise preprocess.max_reject_fraction above "
            f"{settings.max_reject_fraction:g}{_switch(faults)}",
        )


def _switch(faults: pd.DataFrame) -> str:
    """Return the end of a remedy that does without the labels which most of the faulty rows lack; empty for none."""
    missing = faults.loc[faults["reason"] == Reason.MISSING_LABEL, "detail"]
    lacking = [name for name in UNREAD if 2 * int(missing.str.contains(f"the {name}").sum()) > len(faults)]
    return f", or take {' and '.join(lacking)} out of preprocess.outputs" if lacking else ""
