"""How to read the numbers: what they mean, and how sure they can be."""

import math
from collections.abc import Mapping
from typing import Any

from components.compare.report.formats import count

GLOSSARY = {
    "Age MAE": "Mean size of the error of the predicted age, in years. Lower is better.",
    "Age bias": "Mean of predicted less true age, in years. Below zero, people are taken for younger than they are.",
    "Gender accuracy": "Share of faces whose gender is predicted right.",
    "Recall of a class": "Of the faces of the class, the share that is found.",
    "Precision of a class": "Of the faces given to the class, the share that belongs there.",
    "F1 of a class": "Harmonic mean of its recall and precision.",
    "Ethnicity macro F1": "Mean of the classes' F1, each class counting the same however rare it is.",
    "Constant predictor": "Answers every face alike, with the training median of the age and the most frequent "
    "classes. A network that is no better has learnt nothing.",
}


def reading_facts(comparison: Mapping[str, Any]) -> dict[str, Any]:
    """Return the notes, the meaning of the metrics, and the precision that the test set allows.

    Returns:
        ``notes``, ``glossary``, and ``precision``: for the whole test set and for each ethnicity its
        number of faces and the half width of the 95 % interval of a share of one half there.
    """
    dataset = comparison.get("dataset", {})
    classes = (dataset.get("splits") or {}).get("test", {}).get("ethnicity", {})
    sizes = {"the whole test set": dataset.get("test"), **{str(name): faces for name, faces in classes.items()}}
    precision = [
        # Normal approximation of the binomial at its widest: 1.96 · sqrt(0.5 · 0.5 / n) at 95 %.
        {"name": name, "faces": faces, "half_width": 1.96 * math.sqrt(0.25 / faces)}
        for name, faces in sizes.items()
        if faces
    ]
    tests = len(comparison.get("paired", []))
    notes = [str(note) for note in comparison.get("notes", [])]
    if tests:
        notes.append(
            f"{count(tests)} tests against the reference stand in this report. Their p-values are adjusted by Holm, so "
            "that the chance of even one false finding about these trained networks stays below the level of the rule. "
            "“No difference shown” does not mean that there is none."
        )
    return {"notes": notes, "glossary": GLOSSARY, "precision": precision}
