"""What is stated about a face, and who reads it: a file name or a row of a table."""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from components.dataset.outputs import ALL_OUTPUTS
from components.dataset.reasons import Fault
from components.errors import DataError

if TYPE_CHECKING:
    from components.sources.source_file import ListedFile


@dataclass(frozen=True)
class Vocabulary:
    """The labels that a source may state.

    Attributes:
        genders: Name of each gender code.
        ethnicities: Name of each class code, those included that are dropped later.
        max_age: Highest age that is accepted; the lowest is 1.
        outputs: Names of the outputs whose labels are read. What is said of another one is ignored, and each face has
            the label of :data:`UNREAD`.
    """

    genders: tuple[str, ...]
    ethnicities: tuple[str, ...]
    max_age: int
    outputs: tuple[str, ...] = ALL_OUTPUTS


UNREAD = {"age": 1, "gender": 0}
"""The outputs that can be switched off, and the label that every face then has."""


@dataclass(frozen=True)
class FaceLabels:
    """The labels of a face: its age, and its codes in a :class:`Vocabulary`."""

    age: int
    gender: int
    race: int


class LabelReader(ABC):
    """Reads what a source states about one of its files. Nothing is guessed."""

    wanted: ClassVar[str]
    """What a face has, for the table of steps: ``"a UTKFace name"``."""

    @abstractmethod
    def read(self, file: "ListedFile", vocabulary: Vocabulary) -> FaceLabels | Fault:
        """Return the labels of a file, or what is wrong with them."""

    @abstractmethod
    def misfit(self, source: str, images: int, example: str) -> DataError:
        """Return the error of a source none of whose images has labels.

        Args:
            source: Its name.
            images: How many images it has.
            example: One of them, and what is wrong with its labels.
        """
