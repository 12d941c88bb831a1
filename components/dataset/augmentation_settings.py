"""Settings of the augmentation of training images."""

from pydantic import Field

from components.section import Section


class AugmentationSettings(Section):
    """Random changes of training images, drawn uniformly and independently for each face and epoch."""

    enabled: bool = Field(True, description="False trains on the images as they are.")
    rotation_degrees: float = Field(15.0, ge=0, le=180, description="Largest rotation either way, in degrees.")
    shift: float = Field(0.1, ge=0, lt=1, description="Largest shift along each axis, as a share of the side.")
    zoom: float = Field(0.1, ge=0, lt=1, description="Largest change of scale, as a share: 0.1 is 0.9 to 1.1.")
    horizontal_flip: bool = Field(True, description="Mirror half of the images.")
    brightness: float = Field(0.15, ge=0, le=1, description="Largest change of brightness, as a share of 255.")
