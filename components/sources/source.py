"""Where faces come from: one function that reads any kind of source as a stream of files."""

from collections.abc import Iterator
from pathlib import Path

from components.errors import DataError
from components.sources.archive import ARCHIVE_SUFFIXES, is_archive_name, read_archive
from components.sources.folder import read_folder
from components.sources.limits import SourceLimits
from components.sources.source_file import SourceFile
from components.sources.synthetic_settings import SyntheticSettings

SYNTHETIC = "synthetic"
"""The source whose faces are made on the spot."""


def read_source(source: str, limits: SourceLimits, synthetic: SyntheticSettings) -> Iterator[SourceFile]:
    """Yield every file of a source, one at a time, always in the same order.

    Args:
        source: A folder, a ``.zip``, ``.tar``, ``.tar.gz`` or ``.tgz`` archive, ``gs://bucket/prefix``,
            ``gs://bucket/archive.tar.gz``, or ``"synthetic"``.
        limits: Limits on what is read.
        synthetic: What made-up faces look like.

    Yields:
        Every regular file: those that are no images or can't be delivered carry a fault.

    Raises:
        DataError: If the source is missing, of an unknown kind, refused or damaged.
    """
    if source == SYNTHETIC:
        # Drawing faces needs modules that a real source does not.
        from components.sources.synthetic import generate

        yield from (SourceFile(name, content) for name, content in generate(synthetic))
    elif source.startswith("gs://"):
        # The client takes a second to import.
        from components.sources.bucket import read_bucket

        yield from read_bucket(source, limits)
    else:
        yield from _read_local(source, limits)


def _read_local(source: str, limits: SourceLimits) -> Iterator[SourceFile]:
    path = Path(source)
    if not source or not path.exists():
        raise DataError(
            f"The source '{source}' does not exist",
            remedy=f"pass --source a folder, an archive, a gs:// URI or '{SYNTHETIC}'",
        )
    if path.is_dir():
        yield from read_folder(path, limits)
    elif path.is_file() and is_archive_name(path.name):
        try:
            stream = path.open("rb")
        except OSError as error:
            raise DataError(
                f"The archive {source} can't be opened ({error.strerror})", remedy="give the process read access to it"
            ) from None
        with stream:
            yield from read_archive(stream, source, limits)
    else:
        raise DataError(
            f"The source {source} is neither a folder nor an archive",
            remedy=(f"pass a folder or a file that ends in {', '.join(ARCHIVE_SUFFIXES)}"),
        )
