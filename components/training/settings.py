"""Settings of a training run: its faces' augmentation, its losses and its length."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, create_model, model_validator

from components.dataset.outputs import OUTPUTS
from components.section import Section, SettingError

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
    batch_size: Annotated[int, Field(ge=1)] | Literal["auto"] = Field(
        64,
        description="Faces per step, shared by a stage's GPUs. 'auto': the largest power of two for each GPU, up to "
        "1024 faces in all, that fits into the memory and leaves 20 steps in an epoch. It depends on the machine, and "
        "results depend on it.",
    )
    patience: int = Field(
        5, ge=1, description="Epochs without a better validation loss (or score) before training stops."
    )
    learning_rate_schedule: Literal["constant", "cosine"] = Field(
        "constant", description="'constant', or 'cosine': decay from the tuned rate to zero over the epochs."
    )
    warmup_epochs: int = Field(
        0, ge=0, description="Epochs over which the learning rate rises to the tuned one; the schedule follows."
    )
    weight_decay: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Decoupled weight decay (AdamW): each step takes this share, times the learning rate, off every "
        "kernel; biases and batch normalisation are left alone. 0 is Adam.",
    )
    average_weights: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="Momentum of an exponential moving average of the weights over the steps, such as 0.999; it is "
        "what is validated, chosen among the epochs and exported. None keeps the weights themselves.",
    )
    label_smoothing: float = Field(
        0.0,
        ge=0,
        lt=1,
        description="Share of the faces whose gender and ethnicity the plain losses take to be random. A loss that a "
        "cure brings is left as its authors have it.",
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
    precision: Literal["auto", "float32", "mixed_float16", "mixed_bfloat16"] = Field(
        "auto",
        description="Keras dtype policy. 'auto' is mixed where every GPU has tensor cores for it, float32 elsewhere. "
        "Losses are computed in float32 under each.",
    )
    steps_per_execution: int = Field(
        1,
        ge=1,
        description="Steps that the device runs before it reports back. More than 1 helps a GPU with small images.",
    )
    decoded_memory_share: float = Field(
        0.5,
        ge=0,
        le=1,
        description="Share of the free memory that decoded images may take. Where they need more, every batch is "
        "decoded anew, which changes no number.",
    )
    tensorboard: str | None = Field(
        None, min_length=1, description="Directory or gs:// URI for TensorBoard's logs, one folder for each run."
    )
    profile_steps: tuple[int, int] | None = Field(
        None, description="First and last step that TensorFlow's profiler records, beside TensorBoard's logs."
    )
    deterministic: bool = Field(
        True, description="Use only deterministic kernels: the same seed, data and machine give the same numbers."
    )

    @property
    def faces_per_step(self) -> int:
        """The batch size as a number.

        Raises:
            ValueError: If it is still ``"auto"``.
        """
        if self.batch_size == "auto":
            raise ValueError("batch_size is 'auto': settle the recipe first")
        return self.batch_size

    @model_validator(mode="after")
    def _warmup_ends(self) -> Self:
        if self.warmup_epochs >= self.epochs:
            raise SettingError(
                f"warmup_epochs is {self.warmup_epochs}, which leaves none of the {self.epochs} epochs",
                remedy="lower warmup_epochs, or raise epochs",
            )
        return self

    @model_validator(mode="after")
    def _profile_has_a_place(self) -> Self:
        if self.profile_steps is not None:
            first, last = self.profile_steps
            if self.tensorboard is None:
                raise SettingError(
                    "profile_steps is set, but tensorboard is not", remedy="set tensorboard to a directory"
                )
            if not 1 <= first <= last:
                raise SettingError(
                    f"profile_steps {first} to {last} is not a range of steps", remedy="give two numbers from 1 upwards"
                )
        return self


class AugmentationSettings(Section):
    """Random changes of training images, drawn uniformly and independently for each face and epoch."""

    enabled: bool = Field(True, description="False trains on unchanged images.")
    rotation_degrees: float = Field(15.0, ge=0, le=180, description="Largest rotation in either direction, in degrees.")
    shift: float = Field(
        0.1,
        ge=0,
        lt=1,
        description="Largest shift along each axis, as a share of the side. Without rotation and zoom it is a random "
        "crop of the image padded by its reflection.",
    )
    zoom: float = Field(0.1, ge=0, lt=1, description="Largest change of scale, as a share: 0.1 is 0.9 to 1.1.")
    horizontal_flip: bool = Field(True, description="Mirror half of the images.")
    brightness: float = Field(0.15, ge=0, le=1, description="Largest change of brightness, as a share.")
    brightness_change: Literal["offset", "factor"] = Field(
        "offset",
        description="How brightness changes: 'offset' adds a share of 255 to every pixel, 'factor' multiplies every "
        "pixel by 1 plus a share, so that black stays black.",
    )
