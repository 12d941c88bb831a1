"""What a variant computed from the training faces, as ``variant.json`` tells it."""

from pydantic import JsonValue

from components.contract import Contract

ByGroup = dict[str, float]
"""One number by the name of a class or age bin."""


class FaceCounts(Contract):
    """How many faces of the training split a variant trains on."""

    given: int
    used: int


class WeightRange(Contract):
    """Smallest and largest weight of a face."""

    min: float
    max: float


class ResamplingStatistics(Contract):
    """What a resampling chose."""

    cure: str
    details: dict[str, JsonValue]


class TreatmentStatistics(Contract):
    """What the cures of one output computed.

    Attributes:
        cure: Their names, such as ``"ldam+drw"``.
        weights: Weights from the first epoch on.
        deferred_weights: Weights of the last epochs, where the cures have such.
        details: What each cure tells besides.
    """

    cure: str
    weights: WeightRange
    deferred_weights: WeightRange | None
    details: dict[str, JsonValue]


class Statistics(Contract):
    """What a variant computed from the training faces.

    Attributes:
        parameters: Parameters of its cures, by ``"section.key"``.
        faces: How many faces there were and how many are used.
        counts: Faces as drawn, by output and group.
        priors: Their shares.
        output_priors: The class shares that the trained logits of a classified output carry: the priors as
            far as weights and logit adjustment have not corrected them. A post-hoc adjustment has to take
            off these, or it corrects twice; None where the loss has no such shares in closed form. For LDAM
            and LMF, whose margins are left out, they are approximate.
        resampling: The choice of the faces.
        treatments: What was done to each output.
    """

    parameters: dict[str, bool | int | float | str]
    faces: FaceCounts
    counts: dict[str, ByGroup]
    priors: dict[str, ByGroup]
    output_priors: dict[str, ByGroup | None]
    resampling: ResamplingStatistics
    treatments: dict[str, TreatmentStatistics]
