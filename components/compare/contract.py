"""The comparison as a typed, versioned contract: ``comparison.json`` is written and read only through it.

Numbers are rounded to six decimals where nothing else is said; what is undefined is None. Metrics have the names of
:data:`~components.evaluation.catalogue.CATALOGUE`. The JSON Schema, ``comparison.schema.json`` in this folder,
is :meth:`Comparison.model_json_schema`.
"""

from typing import TYPE_CHECKING, Any, Literal, Self, cast

from pydantic import Field, create_model, model_validator
from pydantic.json_schema import SkipJsonSchema

from components.compare.settings import CompareSettings
from components.contract import Contract
from components.dataset.labels import Labels
from components.dataset.outputs import CLASSIFIED, FOCUS, OUTPUTS, Kind, Output
from components.dataset.summaries import GatesSummary, PreprocessSummary, TestSetSummary
from components.evaluation.catalogue import GROUP_COLUMNS, NAMED, SCALARS, Better, Metric, switched_on
from components.imbalance.statistics import Statistics
from components.model.settings import Hyperparameters
from components.training.recipe import Recipe
from components.training.search import SearchResult

Number = float | None
"""A JSON number; None for what is undefined."""

Verdict = Literal["better", "worse", "no difference shown"]


class Interval(Contract):
    """A number with the ends of its interval."""

    value: Number
    low: Number
    high: Number

    @property
    def may_be_zero(self) -> bool:
        """Whether the interval holds zero, or is unknown."""
        return self.low is None or self.high is None or self.low <= 0 <= self.high


class Scalar(Interval):
    """A metric that is a single number: its mean over the seeds."""

    std: Number = None
    """Standard deviation over the seeds, ddof 1; null with one seed."""
    by_seed: dict[str, Number] = Field(default_factory=dict)
    """Value of each seed."""


class GroupInterval(Interval):
    """A metric of one gender × ethnicity group."""

    faces: int


class NamedInterval(Interval):
    """A metric of the named group."""

    group: str


class GroupValues(Contract):
    """One metric by gender × ethnicity group."""

    better: Better
    overall: Number
    by_group: dict[str, GroupInterval]
    worst: NamedInterval
    best: NamedInterval
    difference: Interval
    """Highest minus lowest group."""


class Metrics(Contract):
    """The metrics that every row has. Their fields are made from the catalogue."""

    intervals: dict[str, dict[str, Interval]]
    """By metric, and by class or age bin."""
    groups: dict[str, GroupValues]
    """By metric."""
    natural: dict[str, Interval]
    """By metric: estimates for the natural population."""

    def scalar(self, metric: Metric) -> Scalar:
        """Return a metric that is a single number."""
        return cast("Scalar", getattr(self, metric.name))

    def named(self, metric: Metric, name: str) -> Interval:
        """Return a metric of one class or age bin."""
        return self.intervals[metric.name][name]

    def confusion(self, output: Output) -> list[list[int]]:
        """Return a classified output's counts, truth in rows, summed over the seeds."""
        return cast("list[list[int]]", getattr(self, f"{output.name}_confusion"))


def _is_absent(value: object) -> bool:
    return value is None


def _without_default(schema: dict[str, Any]) -> None:
    del schema["default"]


def _is_empty(value: dict[str, Any]) -> bool:
    return not value


_Absent = SkipJsonSchema[None]


def _field(kind: Any, *outputs: str) -> Any:
    """Return the field of what is said of some outputs: it is absent where one of them is switched off."""
    if set(outputs) == {FOCUS.name}:
        return kind, ...
    # In JSON it is absent, never null.
    return kind | _Absent, Field(None, exclude_if=_is_absent, json_schema_extra=_without_default)


def _catalogue_fields(scalar: Any, named: Any) -> dict[str, Any]:
    fields = {name: _field(scalar, metric.output) for name, metric in SCALARS.items()}
    return fields | {name: _field(dict[str, named], metric.output) for name, metric in NAMED.items()}


def _metric_fields() -> dict[str, Any]:
    fields = _catalogue_fields(Scalar, Number)
    for output in CLASSIFIED:
        fields[f"{output}_confusion"] = _field(list[list[int]], output)
        fields[f"{output}_confusion_normalised"] = _field(list[list[Number]], output)
        if output in GROUP_COLUMNS:
            other = GROUP_COLUMNS[1 - GROUP_COLUMNS.index(output)]
            fields[f"{output}_confusion_by_{other}"] = _field(dict[str, list[list[int]]], output, other)
    return fields


def _face_fields() -> dict[str, Any]:
    fields: dict[str, Any] = {"image_id": (str, ...)}
    for output in OUTPUTS.values():
        value, answer = (int, float) if output.kind is Kind.REGRESSION else (str, str)
        fields |= {output.name: _field(value, output.name), output.predicted: _field(answer, output.name)}
        if output.is_classified:
            fields[probability_field(output)] = _field(float, output.name)
    return fields


def probability_field(output: Output) -> str:
    """Return the key of a face's probability: of the second class, or of the class that was predicted."""
    return output.probability if output.kind is Kind.BINARY else f"{output.name}_probability"


if TYPE_CHECKING:
    # The fields are made from the catalogue and the outputs; readers go through the accessors.
    class RowMetrics(Metrics):
        """Every metric of a row."""

    class DifferenceMetrics(Contract):
        """Every metric of a row minus that of the reference."""

    class Face(Contract):
        """Truth and prediction of one test face."""

        image_id: str
else:
    RowMetrics = create_model("RowMetrics", __base__=Metrics, **_metric_fields())
    Face = create_model("Face", __base__=Contract, __doc__="Truth and prediction of one test face.", **_face_fields())
    DifferenceMetrics = create_model("DifferenceMetrics", __base__=Contract, **_catalogue_fields(Interval, Interval))


class Differences(DifferenceMetrics):
    """Every metric of a row minus that of the reference, paired."""

    seeds: list[int]
    """The seeds that both rows have."""
    natural: dict[str, Interval]
    """Empty unless both rows have the same seeds."""
    worst_group: dict[str, Interval]
    group_gap: dict[str, Interval]

    def overall(self, metric: Metric) -> Interval:
        """Return the difference in a single-number metric."""
        return cast("Interval", getattr(self, metric.name))

    def by_name(self, metric: Metric) -> dict[str, Interval]:
        """Return the difference in a metric of each class or age bin."""
        return cast("dict[str, Interval]", getattr(self, metric.name))


class ErrorByAge(Contract):
    """The error at each true age, over the seeds; all lists have the same length."""

    age: list[int]
    faces: list[int]
    bias: list[Number]
    mae: list[Number]


def _says_nothing(errors: ErrorByAge) -> bool:
    return not errors.age


class Box(Contract):
    """The distribution of the signed age error in one age bin, in years, over the seeds; for a box plot."""

    low: Number
    """Lowest error that is no lower than the 5th percentile."""
    q1: Number
    median: Number
    q3: Number
    high: Number
    """Highest error that is no higher than the 95th percentile."""


class WorstErrors(Contract):
    """The most confident mistakes on the class with the lowest recall, from the first seed."""

    output: str
    name: str
    """The class."""
    faces: list[Face]


class Gallery(Contract):
    """Faces of one kind, as one network sees them."""

    kind: Literal["examples", "best", "worst", "weakest", "gained", "lost"]
    """``weakest``: mistakes on the class with the lowest recall. ``gained``: in the output that is at stake, right
    where the reference is wrong; ``lost``: the reverse."""
    variant: str
    """The row whose predictions these are."""
    seed: int | None
    """Null for an ensemble."""
    faces: list[Face]
    reference: list[Face]
    """The same faces as the reference sees them, with that seed or, beside an ensemble, its first; empty if it is the
    row, or has no such seed."""


class ReliabilityBin(Contract):
    """Faces of similar confidence, over the seeds."""

    weight: float
    confidence: Number
    accuracy: Number


class CalibrationFacts(Contract):
    """How far the probabilities of one output can be believed: expected calibration errors, means over the seeds."""

    error: Number
    natural_error: Number
    """The same in the natural population."""
    by_group: dict[str, Number]
    """By gender × ethnicity group."""
    temperature: Number
    """Temperature that fits the validation faces best; above 1, the network is too sure of itself."""
    bins: list[ReliabilityBin]
    """Of the test faces of all seeds, by ascending confidence."""


class Adjustment(Contract):
    """What post-hoc adjustment does to the probabilities of one network. Its numbers are not rounded."""

    tau: float
    temperature: float
    class_priors: dict[str, float]
    """Shares that are divided out."""


class Row(RowMetrics):
    """One variant, trained, adjusted post hoc or averaged: its numbers and how they came about."""

    title: str
    kind: Literal["trained", "posthoc", "ensemble"]
    """``ensemble``: one model that averages the answers of the variant's networks, whose numbers are its own and not
    means over seeds."""
    source: str
    cures: dict[str, str]
    status: Literal["complete", "incomplete"]
    seeds: list[int]
    missing_seeds: list[int]
    derived_from: str | None = None
    """For a post-hoc row or an ensemble, the variant that was trained."""
    averaged: str | None = None
    """For an ensemble, the row whose networks are averaged."""
    tau: float | None = None
    """For a row that is adjusted post hoc, the strength of the adjustment."""
    temperature: Number = None
    """For a row that is adjusted post hoc, what its logits were divided by first; the mean over the seeds."""
    adjustments: dict[str, Adjustment] = Field(default_factory=dict)
    """For a row that is adjusted post hoc, what was done to each seed's network."""
    calibration: dict[str, CalibrationFacts]
    """By classified output."""
    learned: dict[str, bool]
    """By output: whether these networks are better than the constant predictor, beyond the interval over faces."""
    difference_to_reference: Differences | None
    """Null for the reference itself, and if there is no common seed."""
    age_error_by_age: ErrorByAge = Field(ErrorByAge(age=[], faces=[], bias=[], mae=[]), exclude_if=_says_nothing)
    age_error_boxes: dict[str, Box | None] = Field(default_factory=dict, exclude_if=_is_empty)
    """By age bin; null for a bin without faces."""
    examples: list[Face]
    worst_errors: WorstErrors
    cells: dict[str, list[Number]] = Field(default_factory=dict)
    """By metric of :data:`~components.compare.cells.CELL_METRICS`: its value in each cell of ``dataset.cells``, the
    mean over the seeds."""
    epochs_run: dict[str, int]
    best_epoch: dict[str, int]
    train_seconds: Number
    train_seconds_by_seed: dict[str, float]
    train_faces: int
    validation_faces: int
    parameters: int
    hyperparameters: Hyperparameters
    class_priors: dict[str, Number]
    """Shares of the classes in training; for a row that is adjusted post hoc, those that were divided out, means over
    the seeds."""
    statistics: dict[str, Statistics]
    history: dict[str, dict[str, list[Number]]]
    """By seed and column, one value per epoch."""

    @property
    def is_trained(self) -> bool:
        """Whether networks were trained for this row, and not for another that it derives from."""
        return self.kind == "trained"

    @property
    def is_adjusted(self) -> bool:
        """Whether its networks are adjusted post hoc."""
        return bool(self.adjustments)

    @property
    def is_ensemble(self) -> bool:
        """Whether it is one model that averages networks."""
        return self.kind == "ensemble"

    def changes(self, metric: Metric) -> bool:
        """Return whether the row has a value of its own: post-hoc adjustment alone changes only one output."""
        return self.kind != "posthoc" or metric.output == FOCUS.name


class DummyRow(RowMetrics):
    """The dummy predictor, which gives every face the same answer."""

    predicts: dict[str, str | float]


class CellShare(Contract):
    """One gender × ethnicity × age-bin cell."""

    name: str
    test: int
    train: int
    """Faces of the training split; where there are none, no network has seen such a face."""
    population: int
    share: Number


class NaturalCoverage(Contract):
    """How much of the natural population the test set covers."""

    covered_share: float
    absent_cells: list[str]


class DatasetFacts(Contract):
    """The data that the runs were trained and tested on."""

    fingerprint: str
    faces: int
    rejected: int
    train: int
    validation: int
    test: int
    labels: Labels
    preprocess: PreprocessSummary
    test_set: TestSetSummary
    splits: dict[str, dict[str, dict[str, int]]]
    """Faces by split, column and name."""
    cells: list[CellShare]
    unseen: dict[str, dict[str, int]]
    """Test faces from cells without any training face, by column (gender, ethnicity, age_bin) and name."""
    natural: NaturalCoverage


class McNemarCounts(Contract):
    """McNemar's test of one seed: faces that only one of the two networks gets right."""

    a_only: int
    b_only: int
    p: float


class PairedTestFacts(Contract):
    """A test of row ``a`` against row ``b`` in one metric, over their common seeds.

    With one seed it is a test of two networks; ``over_seeds`` is over other faces and other seeds.
    """

    a: str
    b: str
    metric: str
    better: Better
    test: Literal["permutation", "mcnemar_exact", "over_seeds"]
    seeds: list[int]
    faces: int
    difference: Number
    low: Number
    high: Number
    std: Number
    p: float
    by_seed: dict[str, McNemarCounts]
    p_adjusted: float
    significant: bool
    verdict: Verdict


class RunKey(Contract):
    """One training run."""

    variant: str
    seed: int


class RunPlace(RunKey):
    """Where one run's model and predictions are."""

    model: str
    predictions: str
    validation_predictions: str


class GuardMargin(Contract):
    """The loss that a guard tolerates."""

    metric: str
    scope: Literal["overall", "worst group"]
    margin: float

    @property
    def is_worst_group(self) -> bool:
        """Whether it guards the worst group, and not the whole test set."""
        return self.scope == "worst group"


class Guard(GuardMargin):
    """A loss against the reference, and whether it is tolerated."""

    loss: Number
    low: Number
    high: Number
    holds: bool


class Candidate(Contract):
    """How one row fares under the rule."""

    variant: str
    kind: str
    chosen: bool
    """Whether it was chosen, and its turn to be judged on the test set came."""
    choice_gain: Number
    """Gain in the primary metric where the candidate was chosen."""
    choice_utility: Number
    """Gain in utility there."""
    gain: float
    """Gain in the primary metric on the test set."""
    p: float | None
    """Of that gain: times the number of rows that could be chosen for one chosen on validation, otherwise adjusted for
    all comparisons."""
    significant: bool
    consistent_over_seeds: bool | None
    """Null if there is only one common seed, and for an ensemble."""
    better: bool
    guards: list[Guard]
    safe: bool
    eligible: bool
    utility: Interval
    """Gain in utility on the test set."""
    dominated_by: str | None
    """A row that is at least as good in every output and better in one, on the test set."""


class Choice(Contract):
    """How the candidate was chosen."""

    on: Literal["validation", "test"]
    faces: int
    effective_faces: Number
    """Faces of equal weight that would tell as much: the validation faces are re-weighted to the test set's cells."""
    tied: list[str]
    """Rows that can't be told apart from the largest gain in the primary metric, the most useful first."""


class Rule(Contract):
    """The recommendation rule, as settings and as text."""

    chosen_on: str
    min_seeds: int
    utility: dict[str, float]
    primary_metric: str
    significance: float
    every_seed: bool
    guard_evidence: str
    guards: list[GuardMargin]
    posthoc: bool
    text: str


Standing = Literal["recommended", "indicated", "kept", "nothing learned", "no reference"]
"""What a recommendation rests on: ``indicated`` is a winner with fewer seeds than the rule asks for."""


class Recommendation(Contract):
    """Which variant to ship, and why."""

    variant: str | None
    standing: Standing
    because: str
    kind: str | None
    model: str | None
    """The variant whose trained network to ship."""
    seed: int | None
    """Seed of that network: its score on the validation faces is the median of the row's seeds, of an even number the
    worse of the two in the middle. Null for an ensemble."""
    validation_scores: dict[str, Number]
    """By seed of the row, its primary metric on the validation faces, re-weighted to the cells of the test set; for an
    ensemble, that of each of its networks alone."""
    adjustment: Adjustment | None
    """For a post-hoc row, what to do to the probabilities of that network."""
    members: dict[str, Adjustment | None] = Field(default_factory=dict)
    """For an ensemble, the seeds whose networks to average, and what to do to the probabilities of each before."""
    rule: Rule
    choice: Choice | None
    candidates: list[Candidate]
    indistinguishable: list[str]
    """Other rows that passed the rule and whose difference in the primary metric may be zero."""
    frontier: list[str]
    """Rows that no other row dominates, on the test set."""
    natural: Interval | None
    """What the row's accuracy in the natural population gains over the reference, of the output that is at stake."""


class Trial(Contract):
    """One trial of a search."""

    trial: str
    status: str
    epochs: int
    score: Number
    """Best over the epochs of what the search minimises."""
    hyperparameters: dict[str, Number]


class Tuning(Contract):
    """How fairly the variants' hyperparameters were chosen."""

    scope: str | None
    """``per_variant``, or the variant whose search serves all."""
    fixed: bool
    trials: int
    searches: dict[str, SearchResult]
    note: str
    history: dict[str, list[Trial]] = Field(default_factory=dict)
    """Every trial, by variant that it was a search for."""


class Provenance(Contract):
    """What the comparison was made from, and how."""

    fingerprint: str
    settings: CompareSettings
    training: Recipe
    versions: dict[str, str]
    methods: dict[str, str]


class RunFacts(Contract):
    """Which run this is; what is unknown is empty."""

    name: str = ""
    date: str = ""
    """Day of the comparison, UTC."""
    source: str = ""
    """Where the faces came from: a URI, or the last part of a path."""
    preset: str = ""
    command: str = ""
    """What makes the run again."""


class Comparison(Contract):
    """All runs side by side."""

    schema_version: Literal[3] = 3
    dataset: DatasetFacts
    variants: dict[str, Row]
    posthoc: dict[str, Row]
    ensembles: dict[str, Row] = Field(default_factory=dict)
    """By name, the one model that averages the networks of a row; empty unless the settings ask for them."""
    dummy: DummyRow
    paired: list[PairedTestFacts]
    """Every test against the reference, Holm-adjusted for all of them."""
    missing: list[RunKey]
    """Runs that were requested but gave no results."""
    recommended: Recommendation
    tuning: Tuning
    notes: list[str]
    """What a reader of the numbers must know."""
    provenance: Provenance
    runs: list[RunPlace]
    run: RunFacts = Field(default_factory=RunFacts)
    galleries: list[Gallery] = Field(default_factory=list)
    """Faces worth looking at, of the row that is recommended; of the reference where there is none."""
    pictures: dict[str, str] = Field(default_factory=dict)
    """By ``image_id``: the thumbnail of a face of the galleries, a JPEG in base64. Empty unless the settings show
    faces."""
    gates: GatesSummary | None = None
    """How the data compares with the champion's; null in comparisons that were written before there were gates."""

    @model_validator(mode="after")
    def _has_every_metric(self) -> Self:
        wanted = switched_on({**SCALARS, **NAMED}, self.dataset.labels)
        for row in (self.dummy, *self.variants.values(), *self.posthoc.values()):
            if absent := [name for name in wanted if getattr(row, name) is None]:
                raise ValueError(f"a row lacks {absent[0]}")
        return self

    @property
    def rows(self) -> dict[str, Row]:
        """All rows by name: each variant in its order, below it those that derive from it."""
        derived, ordered = self.posthoc | self.ensembles, {}
        for name, row in self.variants.items():
            ordered[name] = row
            ordered |= {key: other for key, other in derived.items() if other.derived_from == name}
        return ordered

    @property
    def reference(self) -> str:
        """Name of the variant that the others are compared with."""
        return self.provenance.settings.reference

    @property
    def confidence(self) -> float:
        """Coverage of the intervals, as a share."""
        return self.provenance.settings.confidence
