"""Faces worth looking at: examples, and the most confident mistakes."""

from typing import Any

import numpy as np
import numpy.typing as npt

from components.compare.contract import Face, WorstErrors, probability_field
from components.compare.measures import number
from components.dataset.outputs import FOCUS, OUTPUTS, Kind
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Scored


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
        for output in OUTPUTS.values():
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
    predicted = predictions.faces[FOCUS.predicted].to_numpy(np.int64)
    wrong = np.flatnonzero((predictions.faces[FOCUS.name] == weakest).to_numpy() & (predicted != weakest))
    confidence = predictions.probabilities(FOCUS)[wrong, predicted[wrong]]
    rows = wrong[np.argsort(-confidence, kind="stable")][:count]
    name = predictions.labels.names(FOCUS.name)[weakest]
    return WorstErrors(output=FOCUS.name, name=name, faces=describe_faces(predictions, rows))
