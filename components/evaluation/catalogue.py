"""The one list of metrics: what each is called, its output, which direction is better, and how it is shown.

The metrics of an output follow from its kind, so that a new output brings its own.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Any

from components.dataset.labels import CELL_COLUMNS, Labels
from components.dataset.outputs import OUTPUTS, Kind, Output

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

GROUP_COLUMNS = CELL_COLUMNS[:2]
"""Columns that make a group: a cell without its age bin."""


class Better(StrEnum):
    """Which direction of a metric is better."""

    LOWER = "lower"
    HIGHER = "higher"
    ZERO = "zero"

    def badness(self, values: "npt.NDArray[np.float64]") -> "npt.NDArray[np.float64]":
        """Return values on a scale where larger is worse, same shape."""
        return {Better.LOWER: values, Better.HIGHER: -values, Better.ZERO: abs(values)}[self]

    def gain(self, difference: float) -> float:
        """Return a difference with the sign of an improvement: above zero is better."""
        return -difference if self is Better.LOWER else difference


class Test(StrEnum):
    """How a metric is tested between two variants, see :mod:`components.evaluation.paired`."""

    __test__ = False  # Without this, pytest takes it for a test class.

    MEAN = "permuted mean"
    CORRECT = "exact, on correct answers"
    MACRO_F1 = "permuted macro F1"


@dataclass(frozen=True)
class Metric:
    """One metric.

    Attributes:
        title: Display name, at the start of a line.
        output: Name of the output that it judges.
        meaning: What it says, in a sentence.
        is_age: Whether its values count what the data's ages count, such as years; a share otherwise.
        decimals: Decimals that it is shown with.
        per: Column that it has one value per code of; None for a single number.
        test: How it is tested between variants; None where it is not.
        by_group: Whether it is also given for each gender × ethnicity group.
        is_share: Whether it is a share of test faces, so that its interval has an exact form at 0 and 1.
    """

    name: str
    title: str
    output: str
    better: Better
    meaning: str = ""
    is_age: bool = False
    decimals: int = 3
    per: str | None = None
    test: Test | None = None
    by_group: bool = False
    is_share: bool = False

    @property
    def phrase(self) -> str:
        """Display name, inside a sentence."""
        return self.title[0].lower() + self.title[1:]

    def unit(self, labels: Labels) -> str:
        """Return the unit of its values in data with some labels; empty for a share."""
        return labels.age_unit if self.is_age else ""

    @property
    def is_main(self) -> bool:
        """Whether it chooses the epochs and trials for its output and is in the results table."""
        return self.name == f"{self.output}_{OUTPUTS[self.output].metric}"


def _metric(output: Output, suffix: str, title: str, better: Better = Better.HIGHER, **attributes: Any) -> Metric:
    return Metric(f"{output.name}_{suffix}", f"{output.title} {title}", output.name, better, **attributes)


def _metrics_of(output: Output) -> Iterator[Metric]:
    return _class_metrics(output) if output.is_classified else _regression_metrics(output)


def _regression_metrics(output: Output) -> Iterator[Metric]:
    metric = partial(_metric, output, is_age=True, decimals=2)
    mae = "Mean size of the error. Lower is better."
    bias = "Mean of predicted minus true age. Below zero, people are taken for younger than they are."
    yield metric("mae", "MAE", Better.LOWER, meaning=mae, test=Test.MEAN, by_group=True)
    yield metric("bias", "bias", Better.ZERO, meaning=bias, by_group=True)
    yield metric("error_std", "error, standard deviation", Better.LOWER)
    yield metric("error_median", "error, median", Better.LOWER)
    yield metric("error_p90", "error, 90th percentile", Better.LOWER)
    yield metric("mae_bin_gap", "MAE, worst − best bin", Better.LOWER)
    yield metric("mae_by_bin", "MAE", Better.LOWER, per="age_bin")
    yield metric("bias_by_bin", "bias", Better.ZERO, per="age_bin")


def _class_metrics(output: Output) -> Iterator[Metric]:
    metric = partial(_metric, output)
    has_own_class = output.kind is Kind.CATEGORICAL and output.name in GROUP_COLUMNS
    right = "Share of faces whose class is predicted correctly."
    recalled = "Of the faces in the class, the share that is recognised."
    # All faces of a group share one true class of a group column: accuracy there is that class's recall.
    yield metric("accuracy", "accuracy", meaning=right, test=Test.CORRECT, by_group=not has_own_class, is_share=True)
    if output.kind is Kind.CATEGORICAL:
        mean = "Mean of the classes' F1, each class counting equally, however rare it is."
        yield metric("macro_f1", "macro F1", meaning=mean, test=Test.MACRO_F1)
    yield metric("recall", "recall", meaning=recalled, per=output.name, by_group=has_own_class, is_share=True)
    if output.kind is Kind.CATEGORICAL:
        given = "Of the faces assigned to the class, the share that belongs there."
        yield metric("precision", "precision", meaning=given, per=output.name, by_group=has_own_class)
        harmonic = "Harmonic mean of recall and precision."
        yield metric("f1", "F1", meaning=harmonic, per=output.name, by_group=has_own_class)


CATALOGUE: Mapping[str, Metric] = {metric.name: metric for output in OUTPUTS.values() for metric in _metrics_of(output)}
"""Every metric by name.

An error is predicted − true age: ``age_mae`` is its mean size, ``age_bias`` its mean, ``age_error_std``,
``age_error_median`` and ``age_error_p90`` the spread of its size (standard deviation with ddof 0, median,
90th percentile), ``age_mae_bin_gap`` the MAE of the worst age bin minus that of the best. Within a gender ×
ethnicity group, precision and F1 are those of the group's class among all faces of the group's gender.
"""

SCALARS: Mapping[str, Metric] = {name: metric for name, metric in CATALOGUE.items() if metric.per is None}
"""The metrics that are a single number."""

NAMED: Mapping[str, Metric] = {name: metric for name, metric in CATALOGUE.items() if metric.per is not None}
"""The metrics that have a number for each class or age bin."""

TESTED: Mapping[str, Metric] = {name: metric for name, metric in CATALOGUE.items() if metric.test is not None}
"""The metrics that are tested between variants."""

GROUPED: Mapping[str, Metric] = {name: metric for name, metric in CATALOGUE.items() if metric.by_group}
"""The metrics that are also given for each gender × ethnicity group."""

MAIN: Mapping[str, Metric] = {name: metric for name, metric in CATALOGUE.items() if metric.is_main}
"""The metric of each output that chooses epochs and trials and is in the results table."""


def switched_on(metrics: Mapping[str, Metric], labels: Labels) -> dict[str, Metric]:
    """Return those of some metrics whose output there is, by name.

    Args:
        metrics: :data:`CATALOGUE`, or one of its parts such as :data:`MAIN`.
        labels: What a data set states, and so what is learned from it.
    """
    return {name: metric for name, metric in metrics.items() if metric.output in labels.outputs}
