"""The recipe: all settings that a training run follows, whatever the variant."""

from pydantic import Field

from components.imbalance.settings import ImbalanceSettings
from components.model.settings import ModelSettings
from components.section import Section
from components.training.settings import AugmentationSettings, TrainingSettings


class Recipe(Section):
    """The settings that tune and train share, so that a trial trains exactly as the final run does."""

    model: ModelSettings = Field(default_factory=ModelSettings, description="The network.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="Losses and length.")
    augmentation: AugmentationSettings = Field(
        default_factory=AugmentationSettings, description="Changes of the images."
    )
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings, description="Parameters of the cures.")
