"""Settings of the cures: one section per cure, named like the cure; the slide deck's values are the defaults."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field, field_validator, model_validator

from components.errors import RequestError
from components.section import Section, SettingError


class DenseWeightSettings(Section):
    """DenseWeight."""

    alpha: float = Field(
        default=0.25,
        ge=0,
        description="Strength: 0 weighs all ages alike, below 1 no two weights differ by more than 1 / (1 - alpha), "
        "above 1 the most common ages are all but ignored.",
    )
    space: Literal["target", "years", "log_age"] = Field(
        default="target",
        description="Scale on which the density of the ages is estimated; 'target' is the one that the age head uses.",
    )


class LDSSettings(Section):
    """Label distribution smoothing."""

    reweight: Literal["sqrt_inverse", "inverse"] = Field(
        default="sqrt_inverse",
        description="'sqrt_inverse' takes the square root of the counts before smoothing; 'inverse' clips them to "
        "5 … 1000 instead.",
    )
    kernel_size: int = Field(default=5, ge=1, description="Width of the smoothing window, in years; an odd number.")
    sigma: float = Field(default=2.0, gt=0, description="Standard deviation of the Gaussian window, in years.")

    @field_validator("kernel_size")
    @classmethod
    def _require_odd(cls, kernel_size: int) -> int:
        if kernel_size % 2 == 0:
            raise SettingError(f"a window of {kernel_size} years has no middle", remedy="use an odd number")
        return kernel_size


class BalancedMSESettings(Section):
    """Balanced MSE with batch-based Monte Carlo (BMC)."""

    noise_sigma_years: float = Field(
        default=8.0,
        gt=0,
        description="Noise scale, in years; about the error that the model will have. On the logarithm of the age it "
        "is divided by the mean training age.",
    )


class LDAMSettings(Section):
    """Label-distribution-aware margins."""

    max_margin: float = Field(default=0.5, ge=0, description="Margin of the rarest class, in logits.")
    scale: float = Field(default=1.0, gt=0, description="Factor on the logits after the margin. The authors use 30.")


class FocalSettings(Section):
    """Focal loss."""

    gamma: float = Field(default=2.0, ge=0, description="Focusing exponent; 0 is cross-entropy.")


class LMFSettings(Section):
    """Large-margin-aware focal loss."""

    alpha: float = Field(default=2.5, ge=0, description="Weight of the LDAM part.")
    beta: float = Field(default=0.05, ge=0, description="Weight of the focal part.")
    gamma: float = Field(default=4.0, ge=0, description="Focusing exponent of the focal part.")
    max_margin: float = Field(default=0.5, ge=0, description="Margin of the rarest class, in logits.")
    scale: float = Field(default=1.0, gt=0, description="Factor on the logits of the LDAM part. The authors use 30.")
    class_weighted: bool = Field(
        default=False, description="Weigh the classes by their margins in both parts, as the authors' code does."
    )

    @model_validator(mode="after")
    def _require_margins_as_weights(self) -> Self:
        if self.class_weighted and self.max_margin == 0:
            raise SettingError("class_weighted needs a max_margin above 0", remedy="the margins are the weights")
        return self


class ClassBalancedSettings(Section):
    """Class-balanced weights."""

    beta: float = Field(
        default=0.9999, ge=0, lt=1, description="0 weighs all classes alike; towards 1: inverse counts."
    )


class DRWSettings(Section):
    """Deferred re-weighting with class-balanced weights."""

    beta: float = Field(
        default=0.9999, ge=0, lt=1, description="0 weighs all classes alike; towards 1: inverse counts."
    )
    fraction: float = Field(
        default=0.2, gt=0, lt=1, description="Share of the epochs, the last ones, that are re-weighted."
    )


class LogitAdjustedSettings(Section):
    """Logit-adjusted cross-entropy."""

    tau: float = Field(default=1.0, ge=0, description="Strength; 0 is cross-entropy, 1 is balanced softmax.")


class DownsampleSettings(Section):
    """Down-sampling of the majority ethnicity class."""

    fraction: float = Field(default=0.5, gt=0, lt=1, description="Share of the majority class that is removed.")
    seed: int = Field(
        default=42, ge=0, description="Fixes which faces are removed, the same for every seed of training."
    )


class ImbalanceSettings(Section):
    """Parameters of the cures."""

    denseweight: DenseWeightSettings = Field(default_factory=DenseWeightSettings, description="DenseWeight, age.")
    lds: LDSSettings = Field(default_factory=LDSSettings, description="Label distribution smoothing, age.")
    balanced_mse: BalancedMSESettings = Field(default_factory=BalancedMSESettings, description="Balanced MSE, age.")
    ldam: LDAMSettings = Field(default_factory=LDAMSettings, description="Label-distribution-aware margins.")
    focal: FocalSettings = Field(default_factory=FocalSettings, description="Focal loss.")
    lmf: LMFSettings = Field(default_factory=LMFSettings, description="Large-margin-aware focal loss.")
    class_balanced: ClassBalancedSettings = Field(
        default_factory=ClassBalancedSettings, description="Class-balanced weights."
    )
    drw: DRWSettings = Field(default_factory=DRWSettings, description="Deferred re-weighting.")
    logit_adjusted: LogitAdjustedSettings = Field(
        default_factory=LogitAdjustedSettings, description="Logit-adjusted loss."
    )
    downsample: DownsampleSettings = Field(
        default_factory=DownsampleSettings, description="Down-sampling of the majority ethnicity class."
    )

    def with_overrides(self, overrides: Mapping[str, float | bool | str]) -> Self:
        """Return the settings with some values replaced.

        Args:
            overrides: New values by ``"section.key"``, such as ``{"denseweight.alpha": 1.0}``.

        Raises:
            RequestError: If a section is unknown.
            pydantic.ValidationError: If a key is unknown or a value does not fit.
        """
        content = self.model_dump()
        for path, value in overrides.items():
            section, _, key = path.partition(".")
            if section not in content:
                raise RequestError(
                    f"The override '{path}' names no cure with settings", remedy=f"use one of {sorted(content)}"
                )
            content[section][key] = value
        return self.model_validate(content)
