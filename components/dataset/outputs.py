"""What the network predicts for a face: the only description of its outputs.

Everything that differs between outputs follows from their kind or is stated here; the other
modules go through :data:`OUTPUTS`, or those of it that a data set has
(:attr:`components.dataset.labels.Labels.outputs`), and name none of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal


class Kind(StrEnum):
    """How an output is learned and evaluated."""

    REGRESSION = "regression"
    """One number, on the scale of its head; evaluated in years."""

    BINARY = "binary"
    """One logit, that of the second of two classes."""

    CATEGORICAL = "categorical"
    """A logit for each class."""


@dataclass(frozen=True)
class Output:
    """One output of the network.

    Attributes:
        name: Key in settings, tables and results; column of the manifest that holds the truth.
        kind: How it is learned and evaluated.
        plain_loss: Name in ``keras.losses`` of its loss without any cure.
        loss_weight: Weight of its loss in the total, unless the settings say otherwise.
        metric: The validation metric by which epochs and trials are chosen. All of these are of the order of
            one: KerasTuner sums several objectives unscaled, those to be maximised with a minus sign.
        goal: Whether a lower or a higher value of that metric is better.
        probability: Column of the predictions with the probability of the second class (binary output) or of
            each class (categorical output).
    """

    name: str
    kind: Kind
    plain_loss: str
    loss_weight: float
    metric: str
    goal: Literal["min", "max"]
    probability: str = ""

    @property
    def title(self) -> str:
        """Name to show to people."""
        return self.name.capitalize()

    @property
    def is_classified(self) -> bool:
        """Whether it chooses among classes."""
        return self.kind is not Kind.REGRESSION

    @property
    def groups(self) -> str:
        """Column of the manifest whose codes group the faces where an output is weighted by group."""
        return self.name if self.is_classified else f"{self.name}_bin"

    @property
    def selection_metric(self) -> str:
        """Name, in a training's history, of the metric that epochs and trials are chosen by."""
        return f"val_{self.name}_{self.metric}"

    @property
    def predicted(self) -> str:
        """Column of the predictions that holds the predicted age or class."""
        return f"predicted_{self.name}"


OUTPUTS: Mapping[str, Output] = {
    output.name: output
    for output in (
        Output("age", Kind.REGRESSION, "MeanAbsoluteError", 2.0, "mae", "min"),
        Output("gender", Kind.BINARY, "BinaryCrossentropy", 1.0, "accuracy", "max", probability="female_probability"),
        Output(
            "ethnicity",
            Kind.CATEGORICAL,
            "SparseCategoricalCrossentropy",
            2.0,
            "macro_f1",
            "max",
            probability="ethnicity_probabilities",
        ),
    )
}
"""Every output by name."""

ALL_OUTPUTS = tuple(OUTPUTS)
"""Their names; which of them a data set has is in its :class:`~components.dataset.labels.Labels`."""

CLASSIFIED: Mapping[str, Output] = {name: output for name, output in OUTPUTS.items() if output.is_classified}
"""The outputs that choose among classes."""

FOCUS = OUTPUTS["ethnicity"]
"""The output whose rare classes are at stake: down-sampling goes by its classes, post-hoc adjustment
changes it, and the report shows it class by class."""
