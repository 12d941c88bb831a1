"""The labels in a row of a table."""

import re
from collections.abc import Sequence
from typing import NamedTuple

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.printable import printable
from components.sources.face_labels import UNREAD, FaceLabels, LabelReader, Vocabulary
from components.sources.source_file import ListedFile

# A column with a gap becomes one of floats in pandas and many a spreadsheet.
_WHOLE = re.compile(r"([0-9]{1,9})(?:\.0{1,9})?")
_SHOWN = 40


class Stated(NamedTuple):
    """What a row states, as text without spaces around it; empty where it states nothing."""

    age: str
    gender: str
    ethnicity: str


class TableLabels(LabelReader):
    """Labels from a row: a whole number, and names exactly as in the vocabulary."""

    wanted = "a row with all labels"

    def read(self, file: ListedFile, vocabulary: Vocabulary) -> FaceLabels | Fault:
        """Return the labels of a file's row, or what is wrong with them."""
        stated = _only(file.stated or Stated("", "", ""), vocabulary)
        if not all(stated):
            absent = [name for name, text in stated._asdict().items() if not text]
            return Fault(Reason.MISSING_LABEL, f"the {' and the '.join(absent)} stands empty")
        age = whole_age(stated.age)
        if age is None:
            return Fault(Reason.NO_WHOLE_AGE, f"the age is '{_shown(stated.age)}'")
        if not 1 <= age <= vocabulary.max_age:
            return Fault(Reason.IMPLAUSIBLE_AGE, f"age {age}, expected 1 to {vocabulary.max_age}")
        if stated.gender not in vocabulary.genders:
            return Fault(Reason.OTHER_GENDER, _expected(stated.gender, vocabulary.genders))
        if stated.ethnicity not in vocabulary.ethnicities:
            return Fault(Reason.OTHER_CLASS, _expected(stated.ethnicity, vocabulary.ethnicities))
        gender, race = vocabulary.genders.index(stated.gender), vocabulary.ethnicities.index(stated.ethnicity)
        return FaceLabels(age, gender, race)

    def misfit(self, source: str, images: int, example: str) -> DataError:
        """Return the error of a table none of whose rows has labels that the settings know."""
        return DataError(
            f"None of the {images} rows of {source} has the labels that the settings name ({example})",
            remedy=f"use the settings that 'evenface check {source}' prints",
        )


def _only(stated: Stated, vocabulary: Vocabulary) -> Stated:
    """Return what a row states, with the same for every row where it is not read."""
    unread = {"age": str(UNREAD["age"]), "gender": vocabulary.genders[UNREAD["gender"]]}
    return stated._replace(**{name: text for name, text in unread.items() if name not in vocabulary.outputs})


def whole_age(text: str) -> int | None:
    """Return the age that a text states, or None if it is no whole number."""
    match = _WHOLE.fullmatch(text)
    return int(match[1]) if match else None


def _expected(text: str, names: Sequence[str]) -> str:
    return f"'{_shown(text)}', expected {' or '.join(names)}"


def _shown(text: str) -> str:
    return printable(text if len(text) <= _SHOWN else text[:_SHOWN] + "…")
