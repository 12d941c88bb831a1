"""Faces worth looking at: examples, the best and the worst, and where two networks disagree."""

import base64
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from PIL import Image

from components.compare.contract import Face, Gallery, WorstErrors, probability_field
from components.compare.measures import number
from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.dataset.outputs import FOCUS, OUTPUTS, Kind
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Scored

_AGE_SHARE = 1 / 8
"""Error of the age that counts as much as a probability of 1/e for the true class, of the highest age: 10 of 80."""

_SMALLEST = 1e-12

_THUMBNAIL = 96
"""Longest side of a picture in the report, in pixels."""


def example_rows(predictions: Predictions, count: int, seed: int) -> npt.NDArray[np.int64]:
    """Return the rows of some faces to show, the same for every network; one from each cell first."""
    order = np.random.default_rng(seed).permutation(len(predictions))
    cells = predictions.cells()[order]
    _, first_of_cell = np.unique(cells, return_index=True)
    rows: npt.NDArray[np.int64] = np.concatenate([order[np.sort(first_of_cell)], np.delete(order, first_of_cell)])
    return rows[:count]


def describe_faces(predictions: Predictions, rows: npt.NDArray[np.integer]) -> list[Face]:
    """Return truth and prediction of some faces, with names in place of codes."""
    faces = []
    for row in predictions.faces.iloc[rows].to_dict("records"):
        facts: dict[str, Any] = {"image_id": str(row["image_id"])}
        for output in predictions.labels.outputs.values():
            truth, predicted = row[output.name], row[output.predicted]
            if output.kind is Kind.REGRESSION:
                facts |= {output.name: int(truth), output.predicted: number(predicted)}
                continue
            names = predictions.labels.names(output.name)
            probability = row[output.probability]
            confidence = probability if output.kind is Kind.BINARY else probability[predicted]
            facts |= {output.name: names[truth], output.predicted: names[predicted]}
            facts[probability_field(output)] = number(confidence)
        faces.append(Face(**facts))
    return faces


def worst_errors(scored: Scored, count: int) -> WorstErrors:
    """Return the most confident mistakes on the class with the lowest recall, from the first seed."""
    predictions = scored.first
    weakest = int(np.nanargmin(scored.mean(f"{FOCUS.name}_recall")))
    name = predictions.labels.names(FOCUS.name)[weakest]
    faces = describe_faces(predictions, _mistakes(predictions, weakest, count))
    return WorstErrors(output=FOCUS.name, name=name, faces=faces)


def _mistakes(predictions: Predictions, code: int, count: int) -> npt.NDArray[np.int64]:
    """Return the rows of the most confident mistakes on one class."""
    predicted = predictions.faces[FOCUS.predicted].to_numpy(np.int64)
    wrong = np.flatnonzero((predictions.faces[FOCUS.name] == code).to_numpy() & (predicted != code))
    confidence = predictions.probabilities(FOCUS)[wrong, predicted[wrong]]
    rows: npt.NDArray[np.int64] = wrong[np.argsort(-confidence, kind="stable")][:count]
    return rows


def find_galleries(
    chosen: Predictions, reference: Predictions | None, weakest: str, count: int, seed: int
) -> Iterator[Gallery]:
    """Yield the galleries of one network.

    Args:
        chosen: The network's predictions.
        reference: Those of the reference on the same faces in the same order; None if it is the same network.
        weakest: The class whose recall is lowest.
        count: Faces of each gallery; one of 0 faces is not yielded.
        seed: Of the examples.
    """
    code = chosen.labels.names(FOCUS.name).index(weakest)
    strangeness = _strangeness(chosen)
    rows: dict[Literal["examples", "best", "worst", "weakest", "gained", "lost"], npt.NDArray[np.int64]] = {
        "examples": example_rows(chosen, count, seed),
        "best": np.argsort(strangeness, kind="stable")[:count],
        "worst": np.argsort(-strangeness, kind="stable")[:count],
        "weakest": _mistakes(chosen, code, count),
    }
    if reference is not None:
        rows |= {"gained": _disagreements(chosen, reference, count), "lost": _disagreements(reference, chosen, count)}
    for kind, places in rows.items():
        if len(places):
            seen = describe_faces(reference, places) if reference is not None else []
            faces = describe_faces(chosen, places)
            yield Gallery(kind=kind, variant=chosen.variant, seed=chosen.seed, faces=faces, reference=seen)


def _strangeness(predictions: Predictions) -> npt.NDArray[np.float64]:
    """Return how little a network expects the truth, over all outputs, shape ``[faces]``.

    For a class the negative logarithm of the probability given to it, for the age the error in eighths of the highest.
    """
    total = np.zeros(len(predictions))
    for output in predictions.labels.outputs.values():
        if output.kind is Kind.REGRESSION:
            total += np.abs(predictions.errors(output)) / (_AGE_SHARE * predictions.labels.max_age)
        else:
            total -= np.log(np.maximum(_given_to_truth(predictions, output.name), _SMALLEST))
    return total


def _given_to_truth(predictions: Predictions, name: str) -> npt.NDArray[np.float64]:
    """Return the probability of the true class, shape ``[faces]``."""
    output = OUTPUTS[name]
    truth = predictions.faces[output.name].to_numpy(np.int64)
    if output.kind is Kind.BINARY:
        second = predictions.faces[output.probability].to_numpy(np.float64)
        return np.where(truth == 1, second, 1 - second)
    given: npt.NDArray[np.float64] = predictions.probabilities(output)[np.arange(len(truth)), truth]
    return given


def _disagreements(winner: Predictions, loser: Predictions, count: int) -> npt.NDArray[np.int64]:
    """Return the rows where one network is right and the other wrong, first where they are furthest apart."""
    truth = winner.faces[FOCUS.name].to_numpy()
    is_right, is_wrong = (run.faces[FOCUS.predicted].to_numpy() == truth for run in (winner, loser))
    rows = np.flatnonzero(is_right & ~is_wrong)
    lead = (_given_to_truth(winner, FOCUS.name) - _given_to_truth(loser, FOCUS.name))[rows]
    furthest: npt.NDArray[np.int64] = rows[np.argsort(-lead, kind="stable")][:count]
    return furthest


def draw_pictures(galleries: Sequence[Gallery], images_path: str | os.PathLike[str], faces: Manifest) -> dict[str, str]:
    """Return the thumbnail of every face of the galleries by ``image_id``, as a JPEG in base64.

    Args:
        galleries: What is shown.
        images_path: Folder of the image shards.
        faces: A manifest that lists these faces.

    Raises:
        ArtifactError: If a shard is missing or damaged, or holds other images.
    """
    shown = {face.image_id for gallery in galleries for face in gallery.faces}
    listed = faces.subset(np.flatnonzero(faces.faces["image_id"].isin(shown)))
    if not len(listed):
        return {}
    contents: Iterable[bytes] = read_encoded(images_path, listed)
    return {
        str(image_id): _thumbnail(content) for image_id, content in zip(listed.faces["image_id"], contents, strict=True)
    }


def _thumbnail(content: bytes) -> str:
    with Image.open(io.BytesIO(content)) as image:
        small = image.convert("RGB")
    small.thumbnail((_THUMBNAIL, _THUMBNAIL))
    encoded = io.BytesIO()
    small.save(encoded, format="JPEG", quality=82)
    return base64.b64encode(encoded.getvalue()).decode()
