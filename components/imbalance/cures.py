"""From a variant and the training faces to losses, weights and draws."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from components.dataset.age_scale import AgeScale
from components.dataset.manifest import Manifest
from components.errors import RequestError
from components.imbalance.none import plain_loss
from components.imbalance.registry import Variant, load_cure
from components.imbalance.settings import ImbalanceSettings
from components.imbalance.treatment import OUTPUTS, FloatArray, Resampling, TrainingFaces, Treatment

Weights = dict[str, npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Cure:
    """How one variant trains; computed from the training faces alone.

    Attributes:
        rows: Positions of the training faces that are used, ascending.
        probabilities: Chance of each of ``rows`` to be drawn, or None for each once an epoch. An epoch is
            ``len(rows)`` draws with replacement.
        losses: Keras loss of each output. Those of gender and ethnicity take logits.
        sample_weights: For each output the weight of each of ``rows``, float32, mean 1 over the faces drawn.
        deferred_weights: The weights of the last part of the training, or None for no change.
        deferred_fraction: Share of the epochs, the last ones, with the deferred weights; 0 without them.
        statistics: What was computed, as JSON values. ``counts`` and ``priors`` are those of the faces as
            drawn. ``output_priors`` are the class shares that the trained logits of gender and ethnicity
            carry: the priors as far as weights and logit adjustment have not corrected them. A post-hoc
            adjustment has to take off these, or it corrects twice; None where the loss has no such shares in
            closed form. For LDAM and LMF, whose margins are left out, they are approximate.
    """

    rows: npt.NDArray[np.int64]
    probabilities: FloatArray | None
    losses: dict[str, Any]
    sample_weights: Weights
    deferred_weights: Weights | None
    deferred_fraction: float
    statistics: dict[str, Any]


def prepare(variant: Variant, settings: ImbalanceSettings, train: Manifest, age_scale: AgeScale) -> Cure:
    """Compute what a variant needs from the training faces.

    The resampling comes first; every other number is computed from the faces that it leaves.

    Args:
        variant: Cure of each output, and the resampling.
        settings: Parameters of the cures; the variant's overrides win.
        train: The training split.
        age_scale: Scale of the age head.

    Raises:
        RequestError: If a cure is unknown, or two cures of one output both set the loss.
        DataError: If the faces do not allow a cure, such as a class without any face.
    """
    settings = settings.with_overrides(variant.overrides)
    resampling = _resample(variant, settings, train)
    faces = TrainingFaces(train.subset(resampling.rows), _expected_draws(resampling), age_scale)
    treatments = {output: _treat(variant, output, faces, settings) for output in OUTPUTS}
    deferred_fraction = max(treatment.deferred_fraction for treatment in treatments.values())
    first = {output: _weights(faces, treatment.weights) for output, treatment in treatments.items()}
    last = {
        output: first[output] if treatment.deferred_weights is None else _weights(faces, treatment.deferred_weights)
        for output, treatment in treatments.items()
    }
    return Cure(
        rows=resampling.rows,
        probabilities=resampling.probabilities,
        losses={output: treatment.loss or plain_loss(output) for output, treatment in treatments.items()},
        sample_weights=_as_float32(first),
        deferred_weights=_as_float32(last) if deferred_fraction else None,
        deferred_fraction=deferred_fraction,
        statistics={
            "variant": variant.name,
            "parameters": variant.parameters(settings),
            "faces": {"given": len(train), "used": len(faces.manifest)},
            "counts": {output: faces.name_groups(output, faces.counts(output)) for output in OUTPUTS},
            "priors": {output: faces.name_groups(output, _shares(faces.counts(output))) for output in OUTPUTS},
            "output_priors": {
                output: faces.name_groups(output, _output_priors(faces, output, last[output], treatments[output]))
                if treatments[output].prior_known
                else None
                for output in ("gender", "ethnicity")
            },
            "resampling": {"cure": variant.resampling, **resampling.statistics},
            **{
                output: {
                    "cure": getattr(variant, output),
                    "weights": _range(first[output]),
                    **({"deferred_weights": _range(last[output])} if treatment.deferred_fraction else {}),
                    **treatment.statistics,
                }
                for output, treatment in treatments.items()
            },
        },
    )


def _resample(variant: Variant, settings: ImbalanceSettings, train: Manifest) -> Resampling:
    resampling: Resampling = load_cure("resampling", variant.resampling)(train, settings)
    return resampling


def _expected_draws(resampling: Resampling) -> FloatArray:
    if resampling.probabilities is None:
        return np.ones(len(resampling.rows))
    return resampling.probabilities * len(resampling.rows)


def _treat(variant: Variant, output: str, faces: TrainingFaces, settings: ImbalanceSettings) -> Treatment:
    """Join the treatments of one output's cures: one loss, the product of the weights."""
    names = variant.cures(output)
    treatments: list[Treatment] = [load_cure(output, name)(faces, output, settings) for name in names]
    losses = [treatment for treatment in treatments if treatment.loss is not None]
    if len(losses) > 1:
        raise RequestError(
            f"The variant '{variant.name}' names two losses for {output} ({' and '.join(names)})",
            remedy="keep one of them",
        )
    weights = _product(faces, [treatment.weights for treatment in treatments])
    deferred = [treatment for treatment in treatments if treatment.deferred_weights is not None]
    return Treatment(
        loss=losses[0].loss if losses else None,
        weights=weights,
        deferred_weights=_product(faces, [weights, *(treatment.deferred_weights for treatment in deferred)])
        if deferred
        else None,
        deferred_fraction=max(treatment.deferred_fraction for treatment in treatments),
        class_offset=losses[0].class_offset if losses else None,
        prior_known=all(treatment.prior_known for treatment in treatments),
        statistics={key: value for treatment in treatments for key, value in treatment.statistics.items()},
    )


def _product(faces: TrainingFaces, factors: list[FloatArray | None]) -> FloatArray | None:
    given = [factor for factor in factors if factor is not None]
    return faces.normalise(np.prod(given, axis=0)) if given else None


def _weights(faces: TrainingFaces, weights: FloatArray | None) -> FloatArray:
    return np.ones(len(faces.manifest)) if weights is None else weights


def _as_float32(weights: dict[str, FloatArray]) -> Weights:
    return {output: values.astype(np.float32) for output, values in weights.items()}


def _range(weights: FloatArray) -> dict[str, float]:
    return {"min": float(weights.min()), "max": float(weights.max())}


def _shares(counts: FloatArray) -> FloatArray:
    return np.asarray(counts / counts.sum(), np.float64)


def _output_priors(faces: TrainingFaces, output: str, weights: FloatArray, treatment: Treatment) -> FloatArray:
    """Return the class shares that the logits of a network at the optimum of its loss carry.

    The optimum of a cross-entropy weighted by w with an offset o on the logits is
    log(w · prior · likelihood) − o. Margins have no such form and are left out: at scale 1 they move the
    logits by less than max_margin.
    """
    masses = faces.mass(output, faces.draws * weights)
    if treatment.class_offset is not None:
        masses = masses * np.exp(-(treatment.class_offset - treatment.class_offset.max()))
    return _shares(masses)
