"""Settings of the gates before training."""

from typing import Literal

from pydantic import Field

from components.section import Section

Action = Literal["off", "warn", "stop"]

_ACTION = "What a failed gate does: warn goes on and says so in the log and in the report; stop ends the run."


class DistributionGate(Section):
    """A gate on distributions."""

    action: Action = Field("warn", description=_ACTION)
    psi: float = Field(
        0.2,
        gt=0,
        le=10,
        description="Population stability index from which on a distribution has drifted, if the test says so, too. "
        "By a rule of thumb below 0.1 is stable and above 0.25 is another population.",
    )


class RateGate(Section):
    """A gate on a rate, which may fall but not rise."""

    action: Action = Field("warn", description=_ACTION)
    increase: float = Field(
        0.05, gt=0, le=1, description="How much larger than the champion's the share may be: 0.05 is five points."
    )


class GatesSettings(Section):
    """How new data is compared with the champion's before anything is trained."""

    # Whoever starts the run reads the profile that it names: a stage is given the content, which belongs into its
    # cache key, and not the name.
    reference: str | None = Field(
        None,
        exclude=True,
        description="The champion: its folder recommended/, local or gs://, or the profile data_profile.json alone; "
        "None compares with nothing.",
    )
    significance: float = Field(
        0.001, gt=0, lt=1, description="Largest p-value of a two-sample test that counts as a difference."
    )
    labels: DistributionGate = Field(DistributionGate(), description="Shares of the classes, and ages.")
    cells: DistributionGate = Field(DistributionGate(), description="Shares of the gender × ethnicity × age-bin cells.")
    images: DistributionGate = Field(
        DistributionGate(), description="Brightness, sharpness, side and bits per pixel of the pictures."
    )
    reject_rate: RateGate = Field(RateGate(), description="Share of faulty files among those that could be faces.")
    duplicate_rate: RateGate = Field(RateGate(), description="Share of copies among the readable faces.")
    new_classes: Action = Field(
        "warn",
        description="What happens where the source has faces of a class, or of an unknown code, that the "
        "champion's source had none of, or where other classes are used.",
    )


class RetrainSettings(Section):
    """When a run is worth its while."""

    force: bool = Field(
        False, description="Train even if source, settings and code are those that the champion was made from."
    )
