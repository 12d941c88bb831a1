"""The measured constants, read from ``constants.yaml``."""

from functools import cache
from importlib import resources

import yaml
from pydantic import Field

from components.section import Section


class PerImage(Section):
    """A cost of one image that grows with its pixels."""

    base: float = Field(ge=0, description="Whatever the size.")
    per_megapixel: float = Field(ge=0, description="For each million pixels.")

    def at(self, side: int) -> float:
        """Return the cost of a square image."""
        return self.base + self.per_megapixel * side * side / 1e6


class Comparison(Section):
    """What the comparison takes."""

    seconds: float = Field(ge=0, description="Processor seconds, whatever is compared.")
    per_run_and_face: float = Field(ge=0, description="More of them for each training run and test face.")


class Sizes(Section):
    """What is kept in memory and on disk."""

    table_memory_gb: float = Field(gt=0, description="Peak memory of a stage without TensorFlow.")
    network_memory_gb: float = Field(gt=0, description="Peak memory of a stage with TensorFlow, before its batches.")
    batch_memory_gb: float = Field(ge=0, description="More of it for each million pixels of a training batch.")
    comparison_memory_gb: float = Field(ge=0, description="More of it for each million test faces × training runs.")
    model_megabytes: float = Field(gt=0, description="An exported model.")
    unfinished_megabytes: float = Field(gt=0, description="What is kept of a trial that has not ended.")
    picture_bytes: PerImage = Field(description="A synthetic picture.")
    file_bytes: float = Field(gt=0, description="A file of UTKFace: how many an unseen archive holds is told from it.")


class Constants(Section):
    """Measurements on one machine, in seconds of one processor core unless something else is said."""

    machine: str = Field(description="Where they were measured.")
    date: str = Field(description="When.")
    load: float = Field(description="Load average of that machine: above its cores, the seconds are too high.")
    start_seconds: dict[str, float] = Field(description="Start and end of the process of each stage.")
    run_seconds: float = Field(description="What the command line itself takes for a run on this machine.")
    picture: PerImage = Field(description="Drawing a synthetic picture.")
    file_seconds: float = Field(description="Reading, verifying and packing a file.")
    merge_seconds: float = Field(description="Merging a file that was read in parts.")
    decode: PerImage = Field(description="Decoding and resizing a face, by the network's image side.")
    training: PerImage = Field(description="Augmenting a face, and a step forward and back.")
    validation: PerImage = Field(description="A step forward.")
    evaluation: PerImage = Field(description="A face through the served model.")
    build_seconds: float = Field(description="Building and tracing a network.")
    export_seconds: float = Field(description="Exporting a network.")
    repackage_seconds: float = Field(description="Loading a model and exporting it with an adjustment.")
    load_seconds: float = Field(description="Loading a served model.")
    comparison: Comparison
    accelerator_images_per_second: dict[str, float] = Field(description="Training faces at 224 pixels on one GPU.")
    sizes: Sizes


@cache
def read_constants() -> Constants:
    """Return the constants of this version."""
    text = (resources.files("pipeline.estimate") / "constants.yaml").read_text(encoding="utf-8")
    return Constants.model_validate(yaml.safe_load(text))
