"""Settings of a training run: its faces' augmentation, its losses and its length."""

from typing import Any, Literal

from pydantic import Field, create_model

from components.dataset.outputs import OUTPUTS
from components.section import Section

_weights: dict[str, Any] = {
    name: (float, Field(output.loss_weight, ge=0, description=f"Weight of the {name} loss."))
    for name, output in OUTPUTS.items()
}
_LossWeights: Any = create_model("_LossWeights", __base__=Section, **_weights)


class LossWeights(_LossWeights, Section):
    """Weight of each output's loss in the total."""


class TrainingSettings(Section):
    """How one network is trained."""

    epochs: int = Field(25, ge=1, description="Maximum number of epochs of a training run.")
    batch_size: int = Field(64, ge=1, description="Faces per step.")
    patience: int = Field(
        5, ge=1, description="Epochs without a better validation loss (or score) before training stops."
    )
    learning_rate_schedule: Literal["constant", "cosine"] = Field(
        "constant", description="'constant', or 'cosine': decay from the tuned rate to zero over the epochs."
    )
    selection: Literal["natural", "balanced"] = Field(
        "natural",
        description="Distribution on which the best epoch and the best trial are chosen: the validation faces "
        "unweighted, or re-weighted so that every gender × ethnicity × age-bin cell counts equally.",
    )
    selection_metric: Literal["loss", "score"] = Field(
        "loss",
        description="What decides the best epoch, on the validation faces: 'loss' is the total loss, which "
        "differs between variants (as in the proof of concept); 'score' is the sum that tuning minimises, age MAE "
        "− gender accuracy − ethnicity macro F1, the same for every variant.",
    )
    loss_weights: LossWeights = Field(default_factory=LossWeights, description="Weight of each output's loss.")
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="Keras dtype policy. The mixed policies speed up GPUs with tensor cores."
    )
    deterministic: bool = Field(
        True, description="Use only deterministic kernels: the same seed, data and machine give the same numbers."
    )


class AugmentationSettings(Section):
    """Random changes of training images, drawn uniformly and independently for each face and epoch."""

    enabled: bool = Field(True, description="False trains on unchanged images.")
    rotation_degrees: float = Field(15.0, ge=0, le=180, description="Largest rotation in either direction, in degrees.")
    shift: float = Field(0.1, ge=0, lt=1, description="Largest shift along each axis, as a share of the side.")
    zoom: float = Field(0.1, ge=0, lt=1, description="Largest change of scale, as a share: 0.1 is 0.9 to 1.1.")
    horizontal_flip: bool = Field(True, description="Mirror half of the images.")
    brightness: float = Field(0.15, ge=0, le=1, description="Largest change of brightness, as a share of 255.")
