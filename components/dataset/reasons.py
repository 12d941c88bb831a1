"""Why a file of the source was not used."""

from dataclasses import dataclass
from enum import StrEnum


class Reason(StrEnum):
    """Why a file was not used; the value is what the rejects table and the report show."""

    SYSTEM_FILE = "hidden or system file"
    OTHER_FILE = "not an image file name"

    NOT_REGULAR = "link or special file"
    UNREADABLE = "unreadable file"
    TOO_LARGE = "file too large"
    REPEATED_NAME = "name repeated"
    MISSING_FIELD = "name lacks a field"
    EXTRA_FIELD = "name has an extra field"
    NON_NUMERIC_FIELD = "name has a non-numeric field"
    UNKNOWN_GENDER = "unknown gender code"
    UNKNOWN_RACE = "unknown race code"
    IMPLAUSIBLE_AGE = "implausible age"
    MISSING_FILE = "no such image"
    MISSING_LABEL = "label missing"
    NO_WHOLE_AGE = "age is no whole number"
    OTHER_GENDER = "gender not in the settings"
    OTHER_CLASS = "class not in the settings"
    ZERO_BYTES = "zero bytes"
    OTHER_CONTENT = "neither JPEG nor PNG"
    TRUNCATED = "truncated image"
    DAMAGED = "damaged image"
    CMYK = "CMYK image"
    TOO_SMALL = "image too small"
    TOO_MANY_PIXELS = "image too big"

    DUPLICATE = "duplicate"
    CONFLICTING_DUPLICATE = "duplicate with conflicting labels"
    DROPPED_CLASS = "ethnicity dropped"
    ABOVE_MAX_AGE = "above the age limit"
    UNDERSAMPLED = "undersampled"

    @property
    def is_fault(self) -> bool:
        """Whether the file itself is faulty, rather than foreign or dropped by the settings."""
        return self.is_candidate and self not in _PLANNED

    @property
    def is_candidate(self) -> bool:
        """Whether the file could have been a face: everything but foreign files."""
        return self not in _FOREIGN


_FOREIGN = frozenset({Reason.SYSTEM_FILE, Reason.OTHER_FILE})
_PLANNED = frozenset(
    {Reason.DUPLICATE, Reason.CONFLICTING_DUPLICATE, Reason.DROPPED_CLASS, Reason.ABOVE_MAX_AGE, Reason.UNDERSAMPLED}
)

CANDIDATES = frozenset(reason for reason in Reason if reason.is_candidate)
"""Reasons of the files that could have been faces."""

FAULTS = frozenset(reason for reason in Reason if reason.is_fault)
"""Reasons of the files that are themselves faulty."""

LABEL_FAULTS = frozenset(
    {
        Reason.MISSING_FIELD,
        Reason.EXTRA_FIELD,
        Reason.NON_NUMERIC_FIELD,
        Reason.UNKNOWN_GENDER,
        Reason.UNKNOWN_RACE,
        Reason.IMPLAUSIBLE_AGE,
        Reason.MISSING_LABEL,
        Reason.NO_WHOLE_AGE,
        Reason.OTHER_GENDER,
        Reason.OTHER_CLASS,
    }
)
"""Faults of the labels alone: of the file's name, or of its row in a table."""


@dataclass(frozen=True)
class Fault:
    """What is wrong with one file: the kind of fault, and what was found in this file."""

    reason: Reason
    detail: str = ""
