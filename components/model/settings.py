"""Settings of the network."""

from typing import Literal

from pydantic import Field

from components.section import Section

MOST_RATE, MOST_LAYERS, MOST_UNITS = 10.0, 32, 65_536
"""Learning rate, dense layers and units of each beyond which nothing trains, whatever the machine."""


class ModelSettings(Section):
    """The network."""

    image_size: int = Field(224, ge=32, le=1024, description="Side of the square input image, in pixels.")
    backbone_weights: str = Field(
        "imagenet",
        min_length=1,
        description="Initial weights of the backbone: 'imagenet' (downloaded by Keras), 'none' (random), "
        "or a path or gs:// URI of a Keras weights file.",
    )
    batch_norm_momentum: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="Momentum of the moving statistics. Keras's MobileNetV3 uses 0.999; lower it for short runs "
        "or random weights, otherwise validation uses stale statistics.",
    )
    age_target: Literal["log_age", "years"] = Field(
        "log_age", description="What the age head predicts: the natural logarithm of the age, or years / max_age."
    )


class Hyperparameters(Section):
    """What tuning chooses."""

    learning_rate: float = Field(1e-3, gt=0, le=MOST_RATE, description="Adam's learning rate.")
    dense_layers: int = Field(
        1, ge=0, le=MOST_LAYERS, description="Number of dense layers between the backbone and the heads."
    )
    dense_units: int = Field(128, ge=1, le=MOST_UNITS, description="Units of each dense layer.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Dropout after each dense layer.")
