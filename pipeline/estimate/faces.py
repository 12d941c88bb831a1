"""How many faces a run will have, told from the names of the source's files, or from its table: no image is opened."""

import os
import tarfile
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from components.dataset.reasons import Fault
from components.errors import RequestError
from components.preprocess.settings import PreprocessSettings
from components.sources.archive import is_archive_name
from components.sources.face_labels import UNREAD, FaceLabels
from components.sources.source import ArchiveSource, BucketSource, FolderSource, Source, TableSource
from components.sources.source_file import IMAGE_SUFFIXES
from components.sources.synthetic_settings import SyntheticSettings
from components.sources.utkface import parse_name
from pipeline.estimate.constants import Sizes
from pipeline.settings import Settings

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    import pandas as pd

File = tuple[str, int]
"""Name and size in bytes."""


@dataclass(frozen=True)
class Faces:
    """What a run will read, train on and test on.

    Attributes:
        files: Files of the source.
        megabytes: Their size.
        test: Faces of the balanced test set.
        validation: Faces that every training run validates on.
        train: Faces that a training run trains on, by the resampling of its variant; ``none`` for all.
        notes: What the user should know about these numbers.
        short: Cells of the test set that can't be filled whatever the files hold, where the settings don't allow that.
        cells: Number of the test set's cells.
        unlabelled: Rows of a table without a label, by each output that can be switched off and is not.
    """

    files: int
    megabytes: float
    test: int
    validation: int
    train: dict[str, int]
    notes: list[str] = field(default_factory=list)
    short: int = 0
    cells: int = 0
    unlabelled: dict[str, int] = field(default_factory=dict)


def count_faces(source: Source, settings: Settings, sizes: Sizes) -> Faces:
    """Count the faces of a run.

    Copies and files that can't be decoded are counted as faces: only their content tells.

    Raises:
        RequestError: If the source can't be seen from here.
        DataError: If a bucket can't be read.
    """
    if not source.is_visible_here:
        raise RequestError(
            f"The source {source.name} can't be seen from here, so its faces can't be counted",
            remedy="check --source, or estimate where it can be seen",
        )
    notes: list[str] = []
    unlabelled: dict[str, int] = {}
    if isinstance(source, TableSource):
        limits, vocabulary = settings.preprocess.limits, settings.preprocess.vocabulary
        listed = list(source.list_files(limits, settings.preprocess.synthetic))
        # What is not there has no size; whether a picture is sound is not looked at.
        table = _frame(source.reader.read(file, vocabulary) for file in listed if file.size)
        count, total = len(listed), sum(file.size for file in listed)
        stated = [file.stated for file in listed if file.stated is not None]
        learned = [name for name in UNREAD if name in settings.preprocess.outputs]
        unlabelled = {name: sum(not getattr(row, name) for row in stated) for name in learned}
    elif isinstance(source, (FolderSource, ArchiveSource, BucketSource)):
        files = list(_list_files(source))
        if isinstance(source, BucketSource) and is_archive_name(source.uri.path):
            size = files[0][1]
            count = max(1, round(size / sizes.file_bytes))
            notes.append(f"{source.name} is not read for an estimate: about {count:,} files, by its size.")
            table, total = _drawn(SyntheticSettings(faces=max(count, 400)), settings.preprocess), size
        else:
            table = _labelled(files, settings.preprocess)
            count, total = len(files), sum(size for _, size in files)
    else:
        synthetic = settings.preprocess.synthetic
        table = _drawn(synthetic, settings.preprocess)
        count = len(table) + 5 * synthetic.broken_files
        total = round(count * sizes.picture_bytes.at(synthetic.image_side))
    return replace(_divide(table, settings, count, total / 1e6, notes), unlabelled=unlabelled)


def _list_files(source: FolderSource | ArchiveSource | BucketSource) -> Iterator[File]:
    if isinstance(source, BucketSource):
        from components.sources.bucket import list_blobs

        yield from ((blob.name, blob.size) for blob in list_blobs(source.uri))
    elif isinstance(source, FolderSource):
        for folder, _, names in os.walk(source.path):
            yield from ((name, (Path(folder) / name).lstat().st_size) for name in names)
    elif source.name.lower().endswith(".zip"):
        with zipfile.ZipFile(source.path) as archive:
            yield from ((info.filename, info.file_size) for info in archive.infolist() if not info.is_dir())
    else:
        with tarfile.open(source.path, "r|*") as tar:
            yield from ((member.name, member.size) for member in tar if not member.isdir())


def _labelled(files: list[File], section: PreprocessSettings) -> "pd.DataFrame":
    oldest, classes = section.max_plausible_age, len(section.ethnicities)
    return _frame(
        parse_name(name, oldest, classes, section.outputs) for name, _ in files if name.lower().endswith(IMAGE_SUFFIXES)
    )


def _frame(read: Iterable[FaceLabels | Fault]) -> "pd.DataFrame":
    import pandas as pd

    labels = [(label.age, label.gender, label.race) for label in read if isinstance(label, FaceLabels)]
    return pd.DataFrame(labels, columns=["age", "gender", "race"])


def _drawn(settings: SyntheticSettings, section: PreprocessSettings) -> "pd.DataFrame":
    import pandas as pd

    from components.sources.synthetic import draw_labels

    drawn = pd.DataFrame(draw_labels(settings), columns=["age", "gender", "race"])
    return drawn.assign(**{name: value for name, value in UNREAD.items() if name not in section.outputs})


def _divide(table: "pd.DataFrame", settings: Settings, files: int, megabytes: float, notes: list[str]) -> Faces:
    """Send the labels through the drops of preprocess, the test set and the split."""
    import numpy as np

    from components.preprocess import selection

    section = settings.preprocess
    faces = table.assign(file_name="", duplicate_group=np.arange(len(table)))
    faces = faces.drop(index=selection.dropped_classes(faces, section.drop_ethnicities, section.ethnicities).index)
    if "age" in section.outputs:
        faces = faces.drop(index=selection.too_old(faces, section.max_age).index)
    # Undersampling is random: only what is missing before it is certain to be missing.
    certain = _counts(faces, settings)
    drawing = section.floor_per_cell, section.labels, section.seed, section.ethnicities
    removed = selection.undersampled(faces, section.undersample, *drawing)
    faces = faces.drop(index=removed.index)
    cells = _counts(faces, settings)
    wanted, reserve = settings.build_test_set.faces_per_cell, settings.build_test_set.training_reserve
    if (short := int((cells < wanted + reserve).sum())) and not settings.build_test_set.allow_shortfall:
        notes.append(
            f"{short} of {len(cells)} cells have fewer than {wanted + reserve} faces: the test set can't be built."
        )
    tested = np.clip(cells - reserve, 0, wanted)
    pool = cells - tested
    validation = round(settings.split.validation_fraction * int(pool.sum()))
    train = int(pool.sum()) - validation
    by_class = pool.reshape(section.labels.cell_shape).sum(axis=(0, 2))
    share = float(by_class.max() / max(1, by_class.sum()))
    removed_share: float = settings.imbalance.model_dump()["downsample"]["fraction"]
    kept = train - int(removed_share * round(share * train))
    missing = 0 if settings.build_test_set.allow_shortfall else int((certain < wanted + reserve).sum())
    trained = {"none": train, "downsample": kept}
    return Faces(files, megabytes, int(tested.sum()), validation, trained, notes, missing, len(cells))


def _counts(faces: "pd.DataFrame", settings: Settings) -> "npt.NDArray[np.intp]":
    """Return the number of faces in each gender × ethnicity × age-bin cell."""
    import numpy as np

    section = settings.preprocess
    codes = [section.ethnicities.index(name) for name in section.kept_ethnicities]
    ethnicity = faces["race"].map({race: code for code, race in enumerate(codes)}).to_numpy()
    age_bin = section.labels.age_bin(faces["age"].to_numpy())
    columns = {"gender": faces["gender"], "ethnicity": ethnicity, "age_bin": age_bin}
    return np.bincount(section.labels.cells(columns), minlength=section.labels.cell_count)
