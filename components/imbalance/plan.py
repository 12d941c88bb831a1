"""From a variant and the training faces to losses, weights and draws."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from components.dataset.age_scale import AgeScale
from components.dataset.outputs import Output
from components.errors import RequestError
from components.imbalance.registry import Variant, load_cure
from components.imbalance.settings import ImbalanceSettings
from components.imbalance.statistics import (
    FaceCounts,
    ResamplingStatistics,
    Statistics,
    TreatmentStatistics,
    WeightRange,
)
from components.imbalance.treatment import FloatArray, Mixing, Resampling, TrainingFaces, Treatment

if TYPE_CHECKING:
    from components.dataset.manifest import Manifest
    from components.model.heads import Head

Weights = Mapping[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class SecondStage:
    """The part of a training in which only the heads are trained, from new initial weights.

    Attributes:
        plan: Its draws, and the losses and weights computed from them.
        epochs: Number of epochs.
        learning_rate: Learning rate at the start.
    """

    plan: "TrainingPlan"
    epochs: int
    learning_rate: float


@dataclass(frozen=True)
class TrainingPlan:
    """How one variant trains; computed only from the training faces.

    Attributes:
        rows: Positions of the training faces that are used, ascending.
        probabilities: Probability of drawing each of ``rows``, or None to use each once per epoch. An epoch is
            ``len(rows)`` draws with replacement.
        losses: Keras loss of each output whose cure sets one; the others keep their plain loss. Those of
            classified outputs take logits.
        heads: Head of each output whose cure brings one with its loss; the others keep their plain head.
        sample_weights: For each output the weight of each of ``rows``, float32, mean 1 over the faces drawn.
        deferred_weights: The weights of the last part of the training, or None for no change.
        deferred_fraction: Share of the epochs, at the end, that use the deferred weights; 0 without them.
        statistics: What was computed.
        second_stage: What follows, with everything but the heads frozen; None for nothing.
        group_step: Step by which the weights of the cells follow their losses, or None for no such weights.
        mixing: How other faces are mixed into those of a batch, or None.
        norm_powers: Exponent of the weight normalisation of each output that has one, after the training.
    """

    rows: npt.NDArray[np.int64]
    probabilities: FloatArray | None
    losses: Mapping[str, Any]
    heads: Mapping[str, "Head"]
    sample_weights: Weights
    deferred_weights: Weights | None
    deferred_fraction: float
    statistics: Statistics
    second_stage: SecondStage | None = None
    group_step: float | None = None
    mixing: Mixing | None = None
    norm_powers: Mapping[str, float] = field(default_factory=dict)

    @property
    def keeps_last_epoch(self) -> bool:
        """Whether the training runs to its end, and its last epoch is the one that counts."""
        return self.deferred_weights is not None or self.second_stage is not None


def prepare(variant: Variant, settings: ImbalanceSettings, train: "Manifest", age_scale: AgeScale) -> TrainingPlan:
    """Compute what a variant needs from the training faces; its overrides win over the settings.

    The resampling comes first; every other number is computed from the faces that it leaves. Cures of outputs that
    are switched off are left out.

    Raises:
        RequestError: If a cure is unknown, or two cures of one output both set the loss.
        DataError: If the faces don't meet a cure's needs, for example if a class has no faces.
    """
    variant = variant.treating(train.labels.outputs)
    settings = settings.with_overrides(variant.overrides)
    resampling = _resample(variant, train, settings)
    first = _plan(variant, settings, train, age_scale, resampling)
    if (retraining := resampling.retraining) is None:
        return first
    again = _plan(variant, settings, train, age_scale, replace(resampling, probabilities=retraining.probabilities))
    # The logits that count are those of the heads trained last.
    statistics = first.statistics.model_copy(update={"output_priors": again.statistics.output_priors})
    second_stage = SecondStage(again, retraining.epochs, retraining.learning_rate)
    return replace(first, statistics=statistics, second_stage=second_stage)


def _plan(
    variant: Variant, settings: ImbalanceSettings, train: "Manifest", age_scale: AgeScale, resampling: Resampling
) -> TrainingPlan:
    """Compute one stage's plan from the faces that the resampling leaves and draws."""
    faces = TrainingFaces(train.subset(resampling.rows), resampling.draws, age_scale)
    outputs = train.labels.outputs
    treatments = {name: _treat(variant, output, faces, settings) for name, output in outputs.items()}
    deferred_fraction = max(treatment.deferred_fraction for treatment in treatments.values())
    first = {name: _weights_or(treatment.weights, np.ones(len(faces.draws))) for name, treatment in treatments.items()}
    last = {name: _weights_or(treatment.deferred_weights, first[name]) for name, treatment in treatments.items()}
    counts = {name: faces.counts(output) for name, output in outputs.items()}
    return TrainingPlan(
        rows=resampling.rows,
        probabilities=resampling.probabilities,
        losses={name: treatment.loss for name, treatment in treatments.items() if treatment.loss is not None},
        heads={name: treatment.head for name, treatment in treatments.items() if treatment.head is not None},
        sample_weights=_as_float32(first),
        deferred_weights=_as_float32(last) if deferred_fraction else None,
        deferred_fraction=deferred_fraction,
        statistics=Statistics(
            parameters=settings.of_variant(variant),
            faces=FaceCounts(given=len(train), used=len(faces.manifest)),
            counts={name: faces.name_groups(output, counts[name]) for name, output in outputs.items()},
            priors={name: faces.name_groups(output, _shares(counts[name])) for name, output in outputs.items()},
            output_priors={
                name: faces.name_groups(output, _output_priors(faces, output, last[name], treatments[name]))
                if treatments[name].prior_known and resampling.prior_known
                else None
                for name, output in train.labels.classified.items()
            },
            resampling=ResamplingStatistics(cure=variant.cure("resampling"), details=resampling.details),
            treatments={
                name: TreatmentStatistics(
                    cure=variant.cure(name),
                    weights=_range(first[name]),
                    deferred_weights=_range(last[name]) if treatment.deferred_fraction else None,
                    details=treatment.details,
                )
                for name, treatment in treatments.items()
            },
        ),
        group_step=resampling.group_step,
        mixing=resampling.mixing,
        norm_powers={
            name: treatment.norm_power for name, treatment in treatments.items() if treatment.norm_power is not None
        },
    )


def _resample(variant: Variant, train: "Manifest", settings: ImbalanceSettings) -> Resampling:
    if "resampling" not in variant.cures:
        return Resampling(np.arange(len(train)))
    name = variant.cures["resampling"]
    resampling: Resampling = load_cure("resampling", name).resample(train, settings.of_cure(name))
    return resampling


def _treat(variant: Variant, output: Output, faces: TrainingFaces, settings: ImbalanceSettings) -> Treatment:
    """Join the treatments of one output's cures: one loss with its head, the product of the weights."""
    names = variant.cure_names(output.name)
    treatments: list[Treatment] = [
        load_cure(output.name, name).treat(faces, output, settings.of_cure(name)) for name in names
    ]
    losses = [treatment for treatment in treatments if treatment.loss is not None]
    if len(losses) > 1:
        raise RequestError(
            f"The variant '{variant.name}' sets two losses for {output.name} ({' and '.join(names)})",
            remedy="keep one of them",
        )
    weights = _product(faces, [treatment.weights for treatment in treatments])
    deferred = [treatment.deferred_weights for treatment in treatments if treatment.deferred_weights is not None]
    return replace(
        losses[0] if losses else Treatment(),
        weights=weights,
        deferred_weights=_product(faces, [weights, *deferred]) if deferred else None,
        deferred_fraction=max((treatment.deferred_fraction for treatment in treatments), default=0.0),
        prior_known=all(treatment.prior_known for treatment in treatments),
        norm_power=next((each.norm_power for each in treatments if each.norm_power is not None), None),
        details={key: value for treatment in treatments for key, value in treatment.details.items()},
    )


def _product(faces: TrainingFaces, factors: list[FloatArray | None]) -> FloatArray | None:
    given = [factor for factor in factors if factor is not None]
    return faces.normalise(np.prod(given, axis=0)) if given else None


def _weights_or(weights: FloatArray | None, default: FloatArray) -> FloatArray:
    return default if weights is None else weights


def _as_float32(weights: dict[str, FloatArray]) -> Weights:
    return {name: values.astype(np.float32) for name, values in weights.items()}


def _range(weights: FloatArray) -> WeightRange:
    return WeightRange(min=float(weights.min()), max=float(weights.max()))


def _shares(counts: FloatArray) -> FloatArray:
    return np.asarray(counts / counts.sum(), np.float64)


def _output_priors(faces: TrainingFaces, output: Output, weights: FloatArray, treatment: Treatment) -> FloatArray:
    """Return the class shares that the logits of a network at the optimum of its loss carry.

    The optimum of a cross-entropy weighted by w with an offset o on the logits is
    log(w · prior · likelihood) − o. Margins have no such form and are left out: at scale 1 they move the
    logits by less than max_margin.
    """
    masses = faces.mass(output, faces.draws * weights)
    if treatment.class_offset is not None:
        masses = masses * np.exp(-(treatment.class_offset - treatment.class_offset.max()))
    return _shares(masses)
