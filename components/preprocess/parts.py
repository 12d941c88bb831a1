"""Reading a source in parts: each part examines every n-th file, and the parts are dealt together again in order.

Every part lists the whole source but reads only its own files, so no part needs to know what another one found,
nor how many files there are before the last one is listed. What depends on all files together
(repeated names, shards, the share of faulty files, the selection) is decided when the parts are joined.
"""

import hashlib
import json
import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from components.batched import batched
from components.contract import Contract
from components.dataset.images import read_shards
from components.dataset.reasons import Fault, Reason
from components.dataset.shards import ShardWriter
from components.errors import ArtifactError
from components.files import atomic_path
from components.preprocess.examination import Examined, examine_files
from components.preprocess.image_statistics import STATISTICS_BYTES
from components.preprocess.near_copies import HASH_BYTES
from components.preprocess.settings import PreprocessSettings
from components.sources.face_labels import FaceLabels
from components.sources.source import parse_source
from components.sources.source_file import ListedFile

_log = logging.getLogger(__name__)

_FILES, _IMAGES = "files.parquet", "images"
_FILE_COLUMNS = pa.schema(
    [(name, pa.string()) for name in ("file_name", "content_hash", "reason", "detail")]
    + [(name, pa.int32()) for name in ("age", "gender", "race")]
    + [("perceptual_hash", pa.binary(HASH_BYTES)), ("statistics", pa.binary(STATISTICS_BYTES))]
)
"""A file that is a face has labels, a perceptual hash and statistics, any other file a reason."""
_BLOCK_ROWS = 2048
_PROGRESS_EVERY = 2000
_ABOUT = b"evenface"


class About(Contract):
    """Which part of a source a folder holds."""

    part: int
    """Number of the part, from 0."""
    parts: int
    """Number of parts."""
    files: int
    """Files in the whole source."""
    listing: str
    """SHA-256 of the names of all files in the source, in its order."""


def read_part(source: str, settings: PreprocessSettings, part: int, parts: int, path: str) -> dict[str, Any]:
    """Read and verify every n-th file of a source.

    Args:
        source: See :func:`components.sources.source.parse_source`.
        settings: The stage's settings.
        part: Number of the part, from 0.
        parts: Number of parts.
        path: Directory to write: a table of the part's files, and the images of its readable faces.

    Returns:
        ``part``, ``parts`` and the numbers of ``files`` and ``faces`` in it.

    Raises:
        RequestError: If the source does not exist. Nothing is written then.
        DataError: If the source can't be read, is refused or is damaged. Nothing is written then.
    """
    origin = parse_source(source, settings.columns)
    own = _Own(origin.list_files(settings.limits, settings.synthetic), part, parts)
    examined = examine_files(origin, own, settings)
    count = faces = 0
    with atomic_path(path) as draft:
        draft.mkdir()
        shards = ShardWriter(draft / _IMAGES, int(settings.shard_megabytes * 2**20))
        with shards, pq.ParquetWriter(draft / _FILES, _FILE_COLUMNS, compression="zstd") as table:
            for block in batched(_rows(examined, shards), _BLOCK_ROWS):
                table.write_table(pa.Table.from_pylist(block, _FILE_COLUMNS))
                before, count = count, count + len(block)
                faces += sum("reason" not in row for row in block)
                if count // _PROGRESS_EVERY > before // _PROGRESS_EVERY:
                    _log.info("part %d of %d: %d files read, %d of them faces", part + 1, parts, count, faces)
            about = About(part=part, parts=parts, files=own.files, listing=own.listing.hexdigest())
            table.add_key_value_metadata({_ABOUT: about.model_dump_json().encode()})
    _log.info("part %d of %d: all %d files read, %d of them faces", part + 1, parts, count, faces)
    return {"part": part, "parts": parts, "files": count, "faces": faces}


class _Own(Iterable[ListedFile]):
    """The files of one part, while all files of the source are counted and their names hashed."""

    def __init__(self, files: Iterable[ListedFile], part: int, parts: int) -> None:
        self.files = 0
        self.listing = hashlib.sha256()
        self._all, self._part, self._parts = files, part, parts

    def __iter__(self) -> Iterator[ListedFile]:
        for file in self._all:
            self.listing.update(file.name.encode() + b"\0")
            self.files += 1
            if (self.files - 1) % self._parts == self._part:
                yield file


def _rows(examined: Iterable[Examined], shards: ShardWriter) -> Iterator[dict[str, Any]]:
    """Yield the row of each file, its image packed."""
    for name, content_hash, perceptual_hash, verdict, content, statistics in examined:
        row: dict[str, Any] = {"file_name": name, "content_hash": content_hash}
        if isinstance(verdict, Fault):
            row |= {"reason": verdict.reason.value, "detail": verdict.detail}
        else:
            row |= {"age": verdict.age, "gender": verdict.gender, "race": verdict.race}
            row |= {"perceptual_hash": perceptual_hash, "statistics": statistics}
            shards.add(content_hash, content)
        yield row


def read_parts(paths: Sequence[str]) -> Iterator[Examined]:
    """Yield every file of a source from its parts, examined, in the source's order.

    One file's image and one row group of each part are in memory at a time.

    Args:
        paths: What :func:`read_part` wrote, all parts in any order.

    Raises:
        ArtifactError: If a part is missing or damaged, or if the parts listed different files.
    """
    with ExitStack() as stack:
        opened = [stack.enter_context(_Part.open(Path(path))) for path in paths]
        parts = sorted(opened, key=lambda part: part.about.part)
        _check(parts)
        dealt = [part.files() for part in parts]
        for position in range(parts[0].about.files):
            yield next(dealt[position % len(dealt)])


class _Part:
    """An open part."""

    def __init__(self, path: Path, table: pq.ParquetFile, about: About) -> None:
        self.about = about
        self._path = path
        self._table = table

    @classmethod
    @contextmanager
    def open(cls, path: Path) -> Iterator["_Part"]:
        with _damage_explained(path), pq.ParquetFile(path / _FILES) as table:
            content = (table.metadata.metadata or {}).get(_ABOUT, b"{}")
            yield cls(path, table, About.parse(json.loads(content), path / _FILES))

    def files(self) -> Iterator[Examined]:
        """Yield the part's files, examined; in the end there are as many as its place in the source demands."""
        images = read_shards(self._path / _IMAGES)
        for group in range(self._table.num_row_groups):
            for row in self._table.read_row_group(group, columns=_FILE_COLUMNS.names).to_pylist():
                if row["reason"] is not None:
                    fault = Fault(Reason(row["reason"]), row["detail"])
                    yield Examined(row["file_name"], row["content_hash"], b"", fault, b"")
                    continue
                content_hash, content = next(images, ("", b""))
                if content_hash != row["content_hash"]:
                    raise _damaged(self._path, f"the image of {row['file_name']} is missing")
                labels = FaceLabels(row["age"], row["gender"], row["race"])
                told = row["perceptual_hash"], labels, content, row["statistics"]
                yield Examined(row["file_name"], content_hash, *told)
        raise _damaged(self._path, "files are missing")


def _check(parts: Sequence[_Part]) -> None:
    """Check that these are all parts of one source."""
    numbers = [part.about.part for part in parts]
    wanted = list(range(parts[0].about.parts))
    if numbers != wanted or len({part.about.parts for part in parts}) > 1:
        raise ArtifactError(
            f"The parts {numbers} are not the parts {wanted} of one source", remedy="run preprocess again"
        )
    if len({part.about.listing for part in parts}) > 1:
        raise ArtifactError(
            "The source changed while its parts were read: they listed different files",
            remedy="run again without the cache, and leave the source alone until all parts are read",
        )


@contextmanager
def _damage_explained(path: Path) -> Iterator[None]:
    try:
        yield
    except FileNotFoundError:
        raise ArtifactError(f"The part {path} does not exist", remedy="run preprocess again") from None
    except (pa.ArrowInvalid, OSError) as error:
        raise _damaged(path, str(error)) from None


def _damaged(path: Path, what: str) -> ArtifactError:
    return ArtifactError(f"The part {path} is damaged ({what})", remedy="run preprocess again")
