"""The faces that the rows work on: made once per bench in a temporary folder."""

import multiprocessing
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

_FIRST_MOMENT = datetime(2019, 5, 1, tzinfo=UTC)
_DRAWN = 1_500
_SIDE = 200
_SHARD_NAMES = ("images", "manifest.parquet", "rejects.parquet", "summary.json")


@dataclass(frozen=True)
class Faces:
    """A folder of the bench with image files in it, and what preprocess made of them.

    Attributes:
        folder: The bench's temporary folder.
    """

    folder: Path

    @property
    def files(self) -> Path:
        """Folder of image files with UTKFace names."""
        return self.folder / "faces"

    @property
    def images(self) -> Path:
        """Shards of the files."""
        return self.folder / "images"

    @property
    def manifest(self) -> Path:
        """Manifest of the files, nothing undersampled."""
        return self.folder / "manifest.parquet"

    def linked(self, count: int) -> Path:
        """Return a folder with so many files: links to the faces, each with a time stamp of its own."""
        folder = self.folder / f"linked-{count}"
        if folder.is_dir():
            return folder
        draft = self.folder / f"linked-{count}.{os.getpid()}"
        draft.mkdir()
        # In a process of its own: the memory that linking takes is not that of the row.
        linking = multiprocessing.get_context("spawn").Process(target=_link, args=(self.files, draft, count))
        linking.start()
        linking.join()
        try:
            draft.rename(folder)
        except OSError:  # The row's other process was first.
            if not folder.is_dir():
                raise
        return folder


def _link(files: Path, folder: Path, count: int) -> None:
    sources = sorted(files.iterdir())
    for place in range(count):
        source = sources[place % len(sources)]
        labels = "_".join(source.name.split("_")[:3])
        moment = _FIRST_MOMENT + timedelta(seconds=place)
        os.link(source, folder / f"{labels}_{moment:%Y%m%d%H%M%S}000.jpg.chip.jpg")


def make_faces(folder: Path, source: str) -> Faces:
    """Fill a folder with image files and preprocess them.

    Args:
        folder: The bench's temporary folder.
        source: As for ``evenface run``; ``synthetic`` for 1,500 pictures of 200 × 200 pixels, the size of UTKFace's.
    """
    from components.preprocess.preprocess import preprocess
    from components.preprocess.settings import PreprocessSettings
    from components.sources.face_labels import FaceLabels
    from components.sources.limits import SourceLimits
    from components.sources.source import parse_source
    from components.sources.synthetic_settings import SyntheticSettings
    from components.sources.utkface import parse_name

    faces = Faces(folder)
    faces.files.mkdir()
    synthetic = SyntheticSettings(faces=_DRAWN, image_side=_SIDE, broken_files=0)
    section = PreprocessSettings(undersample={}, max_reject_fraction=1.0)
    for file in parse_source(source).read(SourceLimits(), synthetic):
        name = Path(file.name).name
        if file.fault is None and isinstance(parse_name(name, section.max_plausible_age), FaceLabels):
            (faces.files / name).write_bytes(file.content)
    preprocess(str(faces.files), section, *(str(folder / name) for name in _SHARD_NAMES))
    return faces
