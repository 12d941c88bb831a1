"""What a served model says about pictures on this machine; nothing here imports TensorFlow before the first batch."""

import glob
import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from components.errors import RequestError
from components.printable import printable
from pipeline.platforms.local.run_folder import RunFolder

if TYPE_CHECKING:
    from components.dataset.labels import Labels

BATCH_SIZE = 32
"""Pictures that are scored at once; each may be large."""

_SAVED_MODEL = "saved_model.pb"


@dataclass(frozen=True)
class Prediction:
    """What a model says about one picture, or why it says nothing.

    Attributes:
        image: The picture's path, as given.
        scores: Each output by name: a number for an age, the class's name with the share of every class otherwise.
        problem: Why the picture was not used; None where it was.
    """

    image: str
    scores: dict[str, Any]
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return one flat row of JSON values."""
        flat: dict[str, Any] = {"image": self.image}
        for name, score in self.scores.items():
            if isinstance(score, dict):
                flat[name] = max(score, key=score.__getitem__)
                flat |= {f"{name}_{label}": round(share, 6) for label, share in score.items()}
            else:
                flat[name] = round(score, 3)
        return {**flat, "problem": self.problem}


def find_pictures(wanted: Iterable[str], lines: Iterable[str] = ()) -> Iterator[str]:
    """Yield the paths of pictures: files as they are, folders and patterns as what is in them.

    Args:
        wanted: Files, folders (with the folders in them), patterns such as ``faces/*.jpg``, or ``-``.
        lines: Paths, one a line, that ``-`` stands for.
    """
    from components.sources.source_file import IMAGE_SUFFIXES

    for path in wanted:
        if path == "-":
            yield from find_pictures(line for line in (line.rstrip("\r\n") for line in lines) if line not in ("", "-"))
        elif os.path.isdir(path):  # noqa: PTH112 - the path is shown as it was given
            inner = (str(file) for file in sorted(Path(path).rglob("*")) if file.is_file())
            yield from (file for file in inner if file.lower().endswith(IMAGE_SUFFIXES))
        elif not os.path.lexists(path) and glob.has_magic(path):
            yield from sorted(glob.glob(path, recursive=True)) or [path]  # noqa: PTH207
        else:
            yield path


def check_model(model: Path) -> "Labels":
    """Return the names of a model's classes, without loading it.

    Raises:
        RequestError: If the folder holds no model that evenface exported, with the folder that does where one is near.
        ArtifactError: If the record of its training is damaged.
    """
    from components.training.record import VARIANT_FILE, TrainingRecord

    if not (model / _SAVED_MODEL).is_file():
        problem = f"{model} holds no model" if model.is_dir() else f"There is no folder {model}"
        raise RequestError(problem, remedy=_other_model(model))
    if not (model / VARIANT_FILE).is_file():
        problem = f"{model} holds a SavedModel without {VARIANT_FILE}, which names its classes"
        raise RequestError(problem, remedy="give one that evenface exported, with everything beside it")
    return TrainingRecord.read(model).labels


def newest_recommended(runs: Path) -> Path:
    """Return the recommended model of the run that finished last.

    Args:
        runs: Folder of the runs' folders.

    Raises:
        RequestError: If no run there has one.
    """
    folders = [RunFolder(path.parents[1]) for path in runs.glob(f"*/recommended/{_SAVED_MODEL}")]
    if not folders:
        raise RequestError(f"No run in {runs} recommends a model", remedy="name one with --model")
    return max(folders, key=lambda folder: folder.comparison.stat().st_mtime).recommended


def predict_pictures(model: Path, pictures: Iterable[str], labels: "Labels") -> Iterator[Prediction]:
    """Score pictures in batches, in their order.

    A picture that preprocess would not have trained on is not guessed at either (it may be small, though); the others
    go on.

    Args:
        model: SavedModel directory.
        pictures: Paths of JPEG or PNG files, one face each.
        labels: Names of the model's classes.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    from components.batched import batched
    from components.imports import without_notices

    with without_notices():
        from components.model.serving import ServedModel

    served: ServedModel | None = None
    for batch in batched(pictures, BATCH_SIZE):
        read = [_read_sound(path) for path in batch]
        sound = [content for content in read if isinstance(content, bytes)]
        if sound:
            with without_notices():
                served = served or ServedModel(model)
        scores = served.predict(sound, BATCH_SIZE) if served is not None and sound else {}
        row = 0
        for path, content in zip(batch, read, strict=True):
            if isinstance(content, str):
                yield Prediction(path, {}, content)
            else:
                yield Prediction(path, {name: _named(name, values[row], labels) for name, values in scores.items()})
                row += 1


def _other_model(model: Path) -> str:
    """Return what to give in place of a folder that holds no model."""
    for place in (model, *model.parents[:3]):
        found = sorted(place.glob(f"recommended/{_SAVED_MODEL}")) + sorted(place.glob(f"models/*/*/{_SAVED_MODEL}"))
        if found:
            return f"give {found[0].parent}"
    return "give a run's recommended/ or models/VARIANT/SEED; evenface runs lists the runs"


def _read_sound(path: str) -> bytes | str:
    """Return a picture's bytes, or what is wrong with it."""
    from components.dataset.reasons import Fault
    from components.preprocess.settings import PreprocessSettings
    from components.preprocess.verification import verify_image
    from components.sources.limits import SourceLimits

    most = SourceLimits().max_file_megabytes
    try:
        with open(path, "rb") as file:
            content = file.read(int(most * 2**20) + 1)
    except OSError as error:
        return f"it can't be read ({error.strerror})"
    except ValueError:  # A NUL in the name.
        return "it has no name that a file can have"
    if len(content) > most * 2**20:
        return f"it has more than {most:g} MB"
    fault = verify_image(content, 1, PreprocessSettings().max_pixels)
    if isinstance(fault, Fault):
        return printable(f"{fault.reason}{f' ({fault.detail})' if fault.detail else ''}")
    return content


def _named(name: str, score: Any, labels: "Labels") -> float | dict[str, float]:
    """Return one output of a model: a number, or the share of each class by its name."""
    from components.dataset.outputs import OUTPUTS, Kind

    kind = OUTPUTS[name].kind
    if kind is Kind.REGRESSION:
        return float(score)
    names = labels.names(name)
    shares = (1 - float(score), float(score)) if kind is Kind.BINARY else tuple(map(float, score))
    return dict(zip(names, shares, strict=True))
