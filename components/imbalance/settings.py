"""Settings of the cures: one section per cure, named like the cure; the slide deck's values are the defaults."""

from collections.abc import Mapping
from typing import Literal, Self

from pydantic import Field

from components.errors import RequestError
from components.section import Section


class DenseWeightSettings(Section):
    """DenseWeight."""

    alpha: float = Field(
        0.25,
        ge=0,
        description="Strength: 0 weighs all ages alike, below 1 no two weights differ by more than 1 / (1 - alpha), "
        "above 1 the most common ages are all but ignored.",
    )
    space: Literal["target", "years", "log_age"] = Field(
        "target",
        description="Scale on which the density of the ages is estimated; 'target' is the one that the age head uses.",
    )


class LDSSettings(Section):
    """Label distribution smoothing."""

    reweight: Literal["sqrt_inverse", "inverse"] = Field(
        "sqrt_inverse",
        description="'sqrt_inverse' takes the square root of the counts before smoothing; 'inverse' clips them to "
        "5 … 1000 instead.",
    )
    kernel_size: int = Field(5, ge=1, description="Width of the smoothing window, in years; an odd number.")
    sigma: float = Field(2.0, gt=0, description="Standard deviation of the Gaussian window, in years.")


class BalancedMSESettings(Section):
    """Balanced MSE with batch-based Monte Carlo (BMC)."""

    noise_sigma_years: float = Field(
        8.0,
        gt=0,
        description="Noise scale, in years; about the error that the model will have. On the logarithm of the age it "
        "is divided by the mean training age.",
    )


class LDAMSettings(Section):
    """Label-distribution-aware margins."""

    max_margin: float = Field(0.5, ge=0, description="Margin of the rarest class, in logits.")
    scale: float = Field(1.0, gt=0, description="Factor on the logits after the margin. The authors use 30.")


class FocalSettings(Section):
    """Focal loss."""

    gamma: float = Field(2.0, ge=0, description="Focusing exponent; 0 is cross-entropy.")


class LMFSettings(Section):
    """Large-margin-aware focal loss."""

    alpha: float = Field(2.5, ge=0, description="Weight of the LDAM part.")
    beta: float = Field(0.05, ge=0, description="Weight of the focal part.")
    gamma: float = Field(4.0, ge=0, description="Focusing exponent of the focal part.")
    max_margin: float = Field(0.5, ge=0, description="Margin of the rarest class, in logits.")
    scale: float = Field(1.0, gt=0, description="Factor on the logits of the LDAM part. The authors use 30.")
    class_weighted: bool = Field(
        False, description="Weigh the classes by their margins in both parts, as the authors' code does."
    )


class ClassBalancedSettings(Section):
    """Class-balanced weights."""

    beta: float = Field(0.9999, ge=0, lt=1, description="0 weighs all classes alike; towards 1: inverse counts.")


class DRWSettings(Section):
    """Deferred re-weighting with class-balanced weights."""

    beta: float = Field(0.9999, ge=0, lt=1, description="0 weighs all classes alike; towards 1: inverse counts.")
    fraction: float = Field(0.2, gt=0, lt=1, description="Share of the epochs, the last ones, that are re-weighted.")


class LogitAdjustedSettings(Section):
    """Logit-adjusted cross-entropy."""

    tau: float = Field(1.0, ge=0, description="Strength; 0 is cross-entropy, 1 is balanced softmax.")


class DownsampleSettings(Section):
    """Down-sampling of the majority ethnicity class."""

    fraction: float = Field(0.5, gt=0, lt=1, description="Share of the majority class that is removed.")
    seed: int = Field(42, ge=0, description="Fixes which faces are removed, the same for every seed of training.")


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
                raise RequestError(f"The override '{path}' names no cure with settings: use one of {sorted(content)}.")
            content[section][key] = value
        return self.model_validate(content)
