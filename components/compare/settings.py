"""Settings of the compare stage."""

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, create_model

from components.evaluation.catalogue import MAIN, TESTED, Metric
from components.section import Section, SettingError

_WORTHS = {"age": 0.02, "gender": 1.0, "ethnicity": 1.0}


def _worth_of(metric: Metric) -> str:
    return f"Worth of {'one year less of' if metric.is_age else 'one more of'} {metric.phrase}."


def _is_tested(metric: str) -> str:
    if metric not in TESTED:
        raise SettingError(f"'{metric}' is not tested between variants", remedy=f"choose {', '.join(TESTED)}")
    return metric


class WorstGroupMargins(Section):
    """Largest loss that a recommended variant may have in its worst gender × ethnicity group."""

    age_mae: float = Field(2.0, ge=0, description="Mean absolute error of the age, in years.")
    gender_accuracy: float = Field(0.05, ge=0, le=1, description="Gender accuracy.")
    ethnicity_recall: float = Field(0.05, ge=0, le=1, description="Ethnicity recall.")


class GuardMargins(Section):
    """Largest loss against the reference that a recommended variant may have, in each metric's own unit."""

    age_mae: float = Field(1.0, ge=0, description="Mean absolute error of the age, in years.")
    gender_accuracy: float = Field(0.02, ge=0, le=1, description="Gender accuracy.")
    ethnicity_macro_f1: float = Field(0.02, ge=0, le=1, description="Macro F1 of the ethnicity.")
    worst_group: WorstGroupMargins = Field(
        default_factory=WorstGroupMargins, description="The same in the worst gender × ethnicity group."
    )

    def guards(self) -> list[tuple[str, bool, float]]:
        """Return metric, whether it is that of the worst group, and margin of each guard."""
        overall = [(name, False, margin) for name, margin in self if name != "worst_group"]
        return overall + [(name, True, margin) for name, margin in self.worst_group]


_worths: dict[str, Any] = {
    metric.name: (float, Field(_WORTHS[metric.output], ge=0, description=_worth_of(metric))) for metric in MAIN.values()
}
_Worths: Any = create_model("_Worths", __base__=Section, **_worths)


class UtilityWorths(_Worths, Section):
    """What one unit of each output's metric is worth: the exchange rate between the outputs.

    The utility of a row is the sum of its gains over the reference, each times its worth. By default a year of the
    age's mean error is worth two points of gender accuracy or of ethnicity macro F1.
    """


class RecommendationSettings(Section):
    """The rule that recommends a variant."""

    chosen_on: Literal["validation", "test"] = Field(
        "validation",
        description="Where the candidate is chosen. 'validation': on the validation faces, re-weighted to the cells of "
        "the test set, and then judged on the test set. 'test': on the test set itself, whose number for the "
        "chosen row is then somewhat optimistic.",
    )
    min_seeds: int = Field(
        3, ge=1, description="Seeds below which a row is at most 'indicated': too few to know the spread over seeds."
    )
    utility: UtilityWorths = Field(
        default_factory=UtilityWorths,
        description="What decides between rows that can't be told apart in the primary metric.",
    )
    primary_metric: Annotated[str, AfterValidator(_is_tested)] = Field(
        "ethnicity_macro_f1", description="The metric in which a variant must gain significantly to be recommended."
    )
    significance: float = Field(
        0.05,
        gt=0,
        lt=1,
        description="Largest p-value that counts as significant: adjusted for all comparisons, or, for a row that was "
        "chosen on validation, for the number of rows that could be chosen.",
    )
    guard_evidence: Literal["significant", "estimate", "demonstrated"] = Field(
        "significant",
        description="When a guard fails: 'significant', if the whole interval of the loss is beyond the margin, "
        "because the utility has priced the estimate already; 'estimate', if the estimated loss is; 'demonstrated', if "
        "the interval reaches beyond it, so that non-inferiority has to be shown, which takes many seeds.",
    )
    margins: GuardMargins = Field(default_factory=GuardMargins, description="Largest loss that each guard tolerates.")
    every_seed: bool = Field(True, description="Whether the gain must have the same sign in every common seed.")
    posthoc: bool = Field(True, description="Whether a post-hoc adjusted row may be recommended.")


class PosthocSettings(Section):
    """The extra row, per variant, with post-hoc logit adjustment."""

    enabled: bool = Field(True, description="Whether to compute these rows.")
    tau: float = Field(1.0, ge=0, description="Strength: tau times the logarithm of the prior is subtracted.")
    prior: Literal["validation", "training"] = Field(
        "validation",
        description="Class shares that are divided out: 'validation' estimates those that the network's probabilities "
        "carry from its answers on the validation faces, after scaling their temperature; 'training' takes what "
        "follows from the training faces and the cure.",
    )


class ReportSettings(Section):
    """What the report shows, and what its head says about the run."""

    include_faces: Literal["auto", "yes", "no"] = Field(
        "auto",
        description="Whether pictures of test faces are in the report and in comparison.json: 'auto' shows synthetic "
        "faces and no others, because a report is passed on more easily than the data behind it.",
    )
    name: str = Field("", description="Name of the run. Default: the command that runs the pipeline gives it one.")
    preset: str = Field("", description="Preset that the settings started from, which the commands fill in.")
    command: str = Field("", description="Command that makes the run again, which the commands fill in.")


class CompareSettings(Section):
    """How the runs are compared, and what is recommended."""

    reference: str = Field("baseline", min_length=1, description="Variant that the others are compared with.")
    resamples: int = Field(2000, ge=100, description="Bootstrap resamples behind every interval.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence level of the intervals.")
    permutations: int = Field(
        9999, ge=99, description="Permutations behind a p-value; the smallest possible is 1 / (permutations + 1)."
    )
    seed: int = Field(0, ge=0, description="Seed of the resamples and permutations.")
    examples: int = Field(8, ge=0, description="Faces shown in each gallery, of examples and of worst errors.")
    report: ReportSettings = Field(default_factory=ReportSettings, description="The report.")
    posthoc: PosthocSettings = Field(default_factory=PosthocSettings, description="Post-hoc adjusted rows.")
    ensembles: bool = Field(
        False,
        description="Whether every variant with two seeds or more gets rows for the one model that averages the "
        "answers of its networks. Such a row may be recommended, and is then packaged; it takes as much time and room "
        "as its networks together.",
    )
    recommendation: RecommendationSettings = Field(
        default_factory=RecommendationSettings, description="The rule that recommends a variant."
    )
