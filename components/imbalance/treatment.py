"""What a cure sees, and what it returns."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from components.dataset.age_scale import AgeScale
from components.dataset.outputs import Output
from components.errors import DataError

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest
    from components.model.heads import Head

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TrainingFaces:
    """The faces that a network will train on, after resampling; no cure sees any other face.

    Attributes:
        manifest: The faces.
        draws: Expected number of times that each face is seen in an epoch, float64, shape
            ``[faces]``; all 1 without a sampler. Every count, prior and density is computed from the draws.
        age_scale: Scale of the age head.
    """

    manifest: "Manifest"
    draws: FloatArray
    age_scale: AgeScale

    @property
    def ages(self) -> npt.NDArray[np.int64]:
        """Ages in years, shape ``[faces]``."""
        return self.manifest.faces["age"].to_numpy(np.int64)

    def group_names(self, output: Output) -> tuple[str, ...]:
        """Return the names of an output's groups: its classes, or the age bins."""
        return self.manifest.labels.names(output.groups)

    def groups(self, output: Output) -> npt.NDArray[np.int64]:
        """Return each face's group for an output: its class, or its age bin; shape ``[faces]``."""
        return self.manifest.faces[output.groups].to_numpy(np.int64)

    def counts(self, output: Output) -> FloatArray:
        """Return the number of faces drawn per group, shape ``[groups]``."""
        return self.mass(output, self.draws)

    def mass(self, output: Output, values: FloatArray) -> FloatArray:
        """Return the sum of one value per face over each of an output's groups, shape ``[groups]``."""
        sums = np.bincount(self.groups(output), values, minlength=len(self.group_names(output)))
        return sums.astype(np.float64)

    def class_counts(self, output: Output, cure: str) -> FloatArray:
        """Return the counts of an output's classes for a cure that needs faces of each.

        Raises:
            DataError: If a class has no face; names the class and the cure.
        """
        counts = self.counts(output)
        require_every_class(counts, cure, self.group_names(output))
        return counts

    def normalise(self, weights: FloatArray) -> FloatArray:
        """Return weights scaled to a mean of 1 over the faces drawn, shape ``[faces]``."""
        return np.asarray(weights / np.average(weights, weights=self.draws), np.float64)

    def name_groups(self, output: Output, values: npt.ArrayLike) -> dict[str, float]:
        """Return one value per group as a dictionary by the group's name."""
        return dict(zip(self.group_names(output), np.asarray(values, np.float64).tolist(), strict=True))


@dataclass(frozen=True)
class Treatment:
    """What one cure does to one output.

    Attributes:
        loss: Keras loss in place of the output's plain one, or None. For a classified output it takes logits.
        head: What gives that loss its scores (:class:`~components.model.heads.Head`), or None for the plain head.
        weights: Weight of each face in the loss, mean 1, shape ``[faces]``, or None.
        deferred_weights: The same for the last part of the training, or None.
        deferred_fraction: Share of the epochs, at the end, that use the deferred weights.
        class_offset: What the loss adds to the logits, shape ``[classes]``, or None. A network trained
            with an offset learns logits that have it already subtracted.
        prior_known: Whether the class shares that the trained logits carry can be computed; not
            where the loss distorts the probabilities, as focusing does.
        norm_power: After the training, the class weights of the head are divided by their norm to this power and
            its biases dropped; None leaves the head as trained.
        details: What the cure computed from the training faces, as JSON values.
    """

    loss: Any = None
    head: "Head | None" = None
    weights: FloatArray | None = None
    deferred_weights: FloatArray | None = None
    deferred_fraction: float = 0.0
    class_offset: FloatArray | None = None
    prior_known: bool = True
    norm_power: float | None = None
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Retraining:
    """A second stage of the training, in which new heads learn on the body that the first stage left.

    Attributes:
        probabilities: Probability of drawing each face, shape ``[rows]``, summing to 1.
        epochs: Number of epochs.
        learning_rate: Learning rate at the start; a cosine takes it to zero over the epochs.
    """

    probabilities: FloatArray
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class Mixing:
    """How a second face, the partner, is mixed into every face of a batch while the network trains.

    Attributes:
        probabilities: Probability of drawing each face as a partner, shape ``[rows]``, summing to 1.
        kind: ``"paste"`` puts a box of the partner over the face (CutMix: Yun et al. 2019, arXiv 1905.04899);
            ``"blend"`` averages the two (mixup: Zhang et al. 2018, arXiv 1710.09412).
        share: The two parameters of the Beta distribution that the partner's share of the image is drawn from, once
            for each batch.
        chance: Probability that a batch is mixed.
        unmixed_fraction: Share of the epochs, at the end, that mix nothing.
    """

    probabilities: FloatArray
    kind: Literal["paste", "blend"]
    share: tuple[float, float]
    chance: float = 1.0
    unmixed_fraction: float = 0.0


@dataclass(frozen=True)
class Resampling:
    """Which training faces are used, and how often.

    Attributes:
        rows: Positions of the faces that are used, ascending.
        probabilities: Probability of drawing each of them, shape ``[rows]``, summing to 1; an epoch is as many
            draws with replacement as there are rows. None: each face once per epoch.
        retraining: A second stage that draws the same rows otherwise, or None.
        group_step: Step by which the weight of a gender × ethnicity × age-bin cell follows its loss (group DRO), or
            None for cells that weigh as they are drawn.
        mixing: How faces drawn otherwise are mixed into these, or None for faces as they are.
        details: What was chosen, as JSON values.
    """

    rows: npt.NDArray[np.int64]
    probabilities: FloatArray | None = None
    retraining: Retraining | None = None
    group_step: float | None = None
    mixing: Mixing | None = None
    details: dict[str, Any] = field(default_factory=dict)

    @property
    def draws(self) -> FloatArray:
        """Expected number of times that each of the faces is seen in an epoch, shape ``[rows]``."""
        return np.ones(len(self.rows)) if self.probabilities is None else self.probabilities * len(self.rows)

    @property
    def prior_known(self) -> bool:
        """Whether the draws alone say how much each class counts in a loss."""
        return self.group_step is None and self.mixing is None


def require_every_class(counts: npt.ArrayLike, cure: str, names: tuple[str, ...] = ()) -> None:
    """Check that there is at least one face of every class.

    Args:
        counts: Faces per class, or priors, shape ``[classes]``.
        cure: Name of the cure that needs them.
        names: Names of the classes. Default: their numbers.

    Raises:
        DataError: If a class has no face; names the class and the cure.
    """
    for code, count in enumerate(np.asarray(counts, np.float64)):
        if not count > 0:
            name = names[code] if names else str(code)
            raise DataError(
                f"The training faces include none of the class '{name}', which the cure '{cure}' needs",
                remedy="drop the class in preprocess, or choose a variant without this cure",
            )
