"""UTKFace file names: ``[age]_[gender]_[race]_[timestamp].jpg`` or ``….jpg.chip.jpg``."""

import re
from collections.abc import Collection

from components.dataset.labels import ETHNICITIES, GENDERS
from components.dataset.outputs import ALL_OUTPUTS
from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.sources.face_labels import UNREAD, FaceLabels, LabelReader, Vocabulary
from components.sources.source_file import ListedFile

NAME_PATTERN = "[age]_[gender]_[race]_[timestamp].jpg"
"""The expected file name, for messages."""

_FIELDS = ("age", "gender", "race", "timestamp")
_NUMBER = re.compile(r"[0-9]{1,9}")


class UTKFaceNames(LabelReader):
    """Labels from the names of the files."""

    wanted = "a UTKFace name"

    def read(self, file: ListedFile, vocabulary: Vocabulary) -> FaceLabels | Fault:
        """Return the labels in a file's name, or what is wrong with it."""
        return parse_name(file.name, vocabulary.max_age, len(vocabulary.ethnicities), vocabulary.outputs)

    def misfit(self, source: str, images: int, example: str) -> DataError:
        """Return the error of a source without UTKFace names."""
        return DataError(
            f"None of the {images} images in {source} is named like a UTKFace file, {NAME_PATTERN} ({example})",
            remedy="rename them to match, pass a table with their labels, or pass another --source",
        )


def parse_name(
    file_name: str,
    max_plausible_age: int,
    classes: int = len(ETHNICITIES),
    outputs: Collection[str] = ALL_OUTPUTS,
) -> FaceLabels | Fault:
    """Return the labels in a file name, or what is wrong with it. Nothing is guessed.

    The timestamp only keeps names apart: any text will do.

    Args:
        file_name: Path inside the source; only its last part matters.
        max_plausible_age: Highest age that is accepted, in years. The lowest is 1.
        classes: Number of race codes.
        outputs: As in :class:`~components.sources.face_labels.Vocabulary`; the name has a field for each all the same.

    Example:
        >>> parse_name("UTKFace/26_1_2_20170116174525125.jpg.chip.jpg", 116)
        FaceLabels(age=26, gender=1, race=2)
    """
    fields = file_name.rpartition("/")[2].partition(".")[0].split("_")
    if len(fields) > len(_FIELDS):
        return Fault(Reason.EXTRA_FIELD, f"{len(fields)} fields, {NAME_PATTERN} has {len(_FIELDS)}")
    fields = [
        str(UNREAD[name]) if name in UNREAD and name not in outputs else field
        for name, field in zip(_FIELDS, fields, strict=False)
    ]
    if len(fields) < len(_FIELDS) or not all(fields):
        return Fault(Reason.MISSING_FIELD, f"expected {NAME_PATTERN}")
    for name, field in zip(_FIELDS[:3], fields, strict=False):
        if not _NUMBER.fullmatch(field):
            return Fault(Reason.NON_NUMERIC_FIELD, f"the {name} is '{field}'")
    labels = FaceLabels(*(int(field) for field in fields[:3]))
    return _range_fault(labels, max_plausible_age, classes) or labels


def _range_fault(labels: FaceLabels, max_plausible_age: int, classes: int) -> Fault | None:
    if not 1 <= labels.age <= max_plausible_age:
        return Fault(Reason.IMPLAUSIBLE_AGE, f"age {labels.age}, expected 1 to {max_plausible_age}")
    if labels.gender >= len(GENDERS):
        return Fault(Reason.UNKNOWN_GENDER, f"gender {labels.gender}, expected 0 or 1")
    if labels.race >= classes:
        return Fault(Reason.UNKNOWN_RACE, f"race {labels.race}, expected 0 to {classes - 1}")
    return None
