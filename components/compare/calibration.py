"""What a row's probabilities are worth, over its seeds."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from components.compare.contract import CalibrationFacts, Number, ReliabilityBin
from components.compare.measures import number
from components.dataset.outputs import Kind, Output
from components.evaluation.calibration import Reliability, confidences, fit_temperature, reliability
from components.evaluation.predictions import Predictions

Floats = npt.NDArray[np.float64]

_SMALLEST = 1e-12


def describe_calibration(
    tested: Sequence[Predictions], validation: Sequence[Predictions], shares: Floats
) -> dict[str, CalibrationFacts]:
    """Return the calibration of every classified output.

    Args:
        tested: Predictions on the test faces, one per seed, all for the same faces in the same order.
        validation: Predictions on the validation faces, likewise; the temperature is fitted on them.
        shares: Share of each cell in the natural population, shape ``[cells]``.
    """
    cells, labels = tested[0].cells(), tested[0].labels
    weights = (shares / np.maximum(np.bincount(cells, minlength=labels.cell_count), 1))[cells]
    equal, groups = np.ones(len(cells)), cells // len(labels.age_bins)
    facts = {}
    for name, output in labels.classified.items():
        answers = [confidences(run, output) for run in tested]

        def error(
            weighted: Floats,
            *,
            of_group: bool = False,
            answers: Sequence[tuple[Floats, npt.NDArray[np.bool_]]] = answers,
        ) -> Number:
            return number(float(np.mean([reliability(*each, weighted, of_group=of_group).error for each in answers])))

        pooled = reliability(
            np.concatenate([confidence for confidence, _ in answers]),
            np.concatenate([right for _, right in answers]),
            np.tile(equal / len(tested), len(tested)),
        )
        facts[name] = CalibrationFacts(
            error=error(equal),
            natural_error=error(weights),
            by_group={
                group: error((groups == place).astype(np.float64), of_group=True)
                for place, group in enumerate(labels.group_names)
            },
            temperature=number(float(np.mean([_temperature(run, output) for run in validation]))),
            bins=_bins(pooled),
        )
    return facts


def _temperature(predictions: Predictions, output: Output) -> float:
    if output.kind is Kind.BINARY:
        second = predictions.faces[output.probability].to_numpy(np.float64)
        given = np.column_stack([1 - second, second])
    else:
        given = predictions.probabilities(output)
    return fit_temperature(np.log(np.maximum(given, _SMALLEST)), predictions.faces[output.name].to_numpy(np.int64))


def _bins(pooled: Reliability) -> list[ReliabilityBin]:
    columns = zip(pooled.weight.tolist(), pooled.confidence.tolist(), pooled.accuracy.tolist(), strict=True)
    return [
        ReliabilityBin(weight=round(weight, 6), confidence=number(confidence), accuracy=number(accuracy))
        for weight, confidence, accuracy in columns
    ]
