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
    """What the cures of one output computed."""

    cure: str
    """Their names, such as ``"ldam+drw"``."""
    weights: WeightRange
    """Weights from the first epoch on."""
    deferred_weights: WeightRange | None
    """Weights of the last epochs, where the cures have such."""
    details: dict[str, JsonValue]
    """What each cure tells besides."""


class Statistics(Contract):
    """What a variant computed from the training faces."""

    parameters: dict[str, bool | int | float | str]
    """Parameters of its cures, by ``"section.key"``."""
    faces: FaceCounts
    """How many faces there were and how many are used."""
    counts: dict[str, ByGroup]
    """Faces as drawn, by output and group."""
    priors: dict[str, ByGroup]
    """Their shares."""
    output_priors: dict[str, ByGroup | None]
    """The class shares that the trained logits of a classified output carry: the priors as far as weights and logit
    adjustment have not corrected them. A post-hoc adjustment has to take off these, or it corrects twice; None
    where the loss has no such shares in closed form. For LDAM and LMF, whose margins are left out, they are
    approximate."""
    resampling: ResamplingStatistics
    """The choice of the faces."""
    treatments: dict[str, TreatmentStatistics]
    """What was done to each output."""
