"""Settings of the network and of its training, shared by the stages that train: tune and train."""

from typing import Literal

from pydantic import Field

from components.section import Section


class ModelSettings(Section):
    """The network."""

    image_size: int = Field(224, ge=32, le=1024, description="Side of the square input image, in pixels.")
    backbone_weights: str = Field(
        "imagenet",
        min_length=1,
        description="Start of the backbone: 'imagenet' (downloaded by Keras), 'none' (random), "
        "or a path or gs:// URI of a Keras weights file.",
    )
    batch_norm_momentum: float = Field(
        0.999,
        ge=0,
        lt=1,
        description="Momentum of the moving statistics. Keras's MobileNetV3 has 0.999; lower it for short runs "
        "or random weights, or validation is measured with stale statistics.",
    )
    age_target: Literal["log_age", "years"] = Field(
        "log_age", description="What the age head predicts: the natural logarithm of the age, or years / max_age."
    )


class Hyperparameters(Section):
    """What tuning chooses."""

    learning_rate: float = Field(1e-3, gt=0, description="Adam's learning rate.")
    dense_layers: int = Field(1, ge=0, description="Number of dense layers between the backbone and the heads.")
    dense_units: int = Field(128, ge=1, description="Units of each dense layer.")
    dropout: float = Field(0.2, ge=0, lt=1, description="Dropout after each dense layer.")


class LossWeights(Section):
    """Weight of each output's loss in the total."""

    age: float = Field(2.0, ge=0, description="Weight of the age loss.")
    gender: float = Field(1.0, ge=0, description="Weight of the gender loss.")
    ethnicity: float = Field(2.0, ge=0, description="Weight of the ethnicity loss.")


class TrainingSettings(Section):
    """How one network is trained."""

    epochs: int = Field(25, ge=1, description="Most epochs of a training run.")
    batch_size: int = Field(64, ge=1, description="Faces per step.")
    patience: int = Field(
        5, ge=1, description="Epochs without a better validation loss (or score) before training stops."
    )
    learning_rate_schedule: Literal["constant", "cosine"] = Field(
        "constant", description="'constant', or 'cosine': decay from the tuned rate to zero over the epochs."
    )
    selection: Literal["natural", "balanced"] = Field(
        "natural",
        description="Distribution on which the best epoch and the best trial are chosen: the validation faces as "
        "they are, or re-weighted so that every gender × ethnicity × age-bin cell counts the same.",
    )
    selection_metric: Literal["loss", "score"] = Field(
        "loss",
        description="What the best epoch is the best in, on the validation faces: 'loss' is the total loss, which "
        "is each variant's own (the deck); 'score' is the sum that tuning minimises, age MAE − gender accuracy − "
        "ethnicity macro F1, the same for every variant.",
    )
    loss_weights: LossWeights = Field(default_factory=LossWeights, description="Weight of each output's loss.")
    precision: Literal["float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "float32", description="Keras dtype policy. The mixed policies speed up GPUs with tensor cores."
    )
    deterministic: bool = Field(
        True, description="Only deterministic kernels: the same seed, data and machine give the same numbers."
    )
