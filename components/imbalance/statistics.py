"""What a variant computed from the training faces, as recorded in ``variant.json``."""

from pydantic import JsonValue

from components.contract import Contract

ByGroup = dict[str, float]
"""One number per class or age bin, by name."""


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
    """Weights of the last epochs, if the cures defer any."""
    details: dict[str, JsonValue]
    """What else each cure reports."""


class Statistics(Contract):
    """What a variant computed from the training faces."""

    parameters: dict[str, bool | int | float | str]
    """Parameters of its cures, by ``"section.key"``."""
    faces: FaceCounts
    """How many faces there were and how many are used."""
    counts: dict[str, ByGroup]
    """Number of faces as drawn, by output and group."""
    priors: dict[str, ByGroup]
    """Their shares."""
    output_priors: dict[str, ByGroup | None]
    """The class shares that the trained logits of a classified output carry: the part of the priors that weights and
    logit adjustment have not corrected. A post-hoc adjustment must divide out these shares, or it corrects twice.
    None where the loss has no closed form for them. For LDAM and LMF they are approximate, as margins are left out."""
    resampling: ResamplingStatistics
    """The choice of the faces."""
    treatments: dict[str, TreatmentStatistics]
    """What was done to each output."""
