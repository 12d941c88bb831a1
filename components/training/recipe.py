"""The recipe: all settings that a training follows, whatever the variant."""

from pydantic import Field

from components.imbalance.settings import ImbalanceSettings
from components.model.settings import ModelSettings
from components.section import Section
from components.training.settings import AugmentationSettings, TrainingSettings


class Recipe(Section):
    """What tune and train follow: one thing, because a trial and a training must not differ in any of it."""

    model: ModelSettings = Field(default_factory=ModelSettings, description="The network.")
    training: TrainingSettings = Field(default_factory=TrainingSettings, description="Losses and length.")
    augmentation: AugmentationSettings = Field(default_factory=AugmentationSettings, description="Training images.")
    imbalance: ImbalanceSettings = Field(default_factory=ImbalanceSettings, description="Parameters of the cures.")
