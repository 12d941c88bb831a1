"""Settings of promotion: where the champion is, and what it takes to become it."""

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from components.errors import RequestError
from components.evaluation.catalogue import TESTED
from components.registries.registry import Registry, check_place, open_registry
from components.registries.settings import VertexRegistrySettings
from components.section import Section, SettingError


def _is_tested(metric: str) -> str:
    if metric not in TESTED:
        raise SettingError(f"'{metric}' is not tested between models", remedy=f"choose {', '.join(TESTED)}")
    return metric


def _names_a_registry(place: str | None) -> str | None:
    if place is not None:
        try:
            check_place(place)
        except RequestError as error:
            raise SettingError(error.problem, remedy=error.remedy) from None
    return place


class LossMargins(Section):
    """Losses against the champion that are certainly not larger than this, in each metric's own unit.

    Non-inferiority: the whole interval of the loss has to be within the margin. The primary metric's own margin is
    `promotion.policy.margin`.
    """

    age_mae: float = Field(1.5, ge=0, description="Mean absolute error of the age, in years.")
    gender_accuracy: float = Field(0.05, ge=0, le=1, description="Gender accuracy.")
    ethnicity_macro_f1: float = Field(0.05, ge=0, le=1, description="Macro F1 of the ethnicity.")


class WorstGroupFloor(Section):
    """What every gender × ethnicity group must get, whatever the champion gives it."""

    age_mae: float | None = Field(None, gt=0, description="Largest mean absolute error of the age, in years.")
    gender_accuracy: float = Field(0.5, ge=0, le=1, description="Gender accuracy; 0.5 is a coin's.")
    ethnicity_recall: float = Field(0.25, ge=0, le=1, description="Ethnicity recall; 0.25 is a guess among four.")


class PromotionPolicy(Section):
    """What a challenger must show."""

    primary_metric: Annotated[str, AfterValidator(_is_tested)] = Field(
        "ethnicity_macro_f1", description="The metric that decides."
    )
    require: Literal["better", "not worse"] = Field(
        "better",
        description="'better': the whole interval of the gain over the champion is above the margin, and the paired "
        "test is significant; 'not worse': the whole interval is above minus the margin, so that a tie on newer data "
        "is promoted.",
    )
    significance: float = Field(0.05, gt=0, lt=1, description="Largest p-value of the paired test that is significant.")
    margin: float = Field(0.0, ge=0, description="In the unit of the primary metric.")
    losses: LossMargins = Field(default_factory=LossMargins, description="Largest loss in the other metrics.")
    floor: WorstGroupFloor = Field(default_factory=WorstGroupFloor, description="What the worst group must get.")
    min_seeds: int = Field(3, ge=1, description="Seeds that the recommendation must rest on.")
    allow_indicated: bool = Field(
        False, description="Whether a recommendation that is only 'indicated' may be promoted."
    )
    without_comparison: Literal["refuse", "promote"] = Field(
        "refuse",
        description="What becomes of a challenger that can't be compared with the champion, because that has other "
        "classes or can't be read: 'promote' holds it against the floor alone.",
    )


class PromotionSettings(Section):
    """Whether and where the recommended model is promoted."""

    registry: Annotated[str | None, AfterValidator(_names_a_registry)] = Field(
        None,
        description="A folder, gs://BUCKET/FOLDER, mlflow+https://HOST or vertex://PROJECT/LOCATION; None for no "
        "promotion.",
    )
    name: str = Field(
        "evenface",
        pattern=r"^[a-z_][a-z0-9_-]{0,62}$",
        description="Name of the model in MLflow and in the Vertex Model Registry.",
    )
    policy: PromotionPolicy = Field(default_factory=PromotionPolicy, description="What a challenger must show.")
    vertex: VertexRegistrySettings = Field(
        default_factory=VertexRegistrySettings, description="What the Vertex Model Registry needs besides."
    )
    resamples: int = Field(2000, ge=100, description="Bootstrap resamples behind every interval.")
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Confidence level of the intervals.")
    permutations: int = Field(9999, ge=99, description="Permutations behind the p-value, where it needs any.")
    seed: int = Field(0, ge=0, description="Seed of the resamples and permutations.")

    def open_registry(self) -> Registry | None:
        """Return the registry, None for no promotion.

        Raises:
            RequestError: If it needs more settings or libraries.
        """
        return None if self.registry is None else open_registry(self.registry, self.name, self.vertex)
