"""The faces that one variant trains and validates on, with their targets and weights."""

import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.batched import batched
from components.dataset.age_scale import AgeScale
from components.dataset.images import read_encoded
from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.dataset.outputs import OUTPUTS, Kind, Output
from components.imbalance.plan import TrainingPlan, prepare
from components.imbalance.registry import Variant
from components.model.decoding import decode_and_resize
from components.training.batches import Arrays, Faces
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings

_IMAGES_AT_ONCE = 256


@dataclass(frozen=True)
class TrainingData:
    """What one variant trains and validates on.

    Attributes:
        train: Training faces after the variant's resampling, with its weights.
        validation: Validation faces. Their weights are all 1, or those of ``selection: balanced``.
        plan: The variant's losses, weights and draws, computed from the training faces alone.
        labels: Names of the classes.
        age_scale: Scale of the age targets.
        initial_age: Mean training target of the age head.
    """

    train: Faces
    validation: Faces
    plan: TrainingPlan
    labels: Labels
    age_scale: AgeScale
    initial_age: float


def load_training_data(
    images_path: str | os.PathLike[str],
    train: Manifest,
    validation: Manifest,
    variant: Variant,
    recipe: Recipe,
    *,
    decoded: Path | None = None,
) -> TrainingData:
    """Load the faces of one variant from a directory of image shards, and plan its training.

    Weights, priors, densities and draws come from ``train`` alone. ``validation`` is only
    used for scoring. If ``decoded`` names a directory, the decoded images are kept there, and opened
    if they are already there: several processes then share them.
    """
    train_file, validation_file = (decoded and decoded / f"{part}.uint8" for part in ("train", "validation"))
    age_scale = AgeScale(recipe.model.age_target, train.labels.max_age)
    plan = prepare(variant, recipe.imbalance, train, age_scale)
    kept = train.subset(np.asarray(plan.rows))
    targets = _targets(kept, age_scale)
    return TrainingData(
        train=Faces(load_images(images_path, kept, recipe.model.image_size, train_file), targets, plan.sample_weights),
        validation=Faces(
            load_images(images_path, validation, recipe.model.image_size, validation_file),
            _targets(validation, age_scale),
            dict.fromkeys(OUTPUTS, _selection_weights(validation, recipe.training)),
        ),
        plan=plan,
        labels=train.labels,
        age_scale=age_scale,
        initial_age=float(np.average(targets["age"][:, 0], weights=plan.probabilities)),
    )


def load_images(
    images_path: str | os.PathLike[str], manifest: Manifest, size: int, file: Path | None = None
) -> npt.NDArray[np.uint8]:
    """Decode the images of a manifest into one array backed by a file, or open it if it exists.

    Decoded images fill the page cache, which the kernel can empty, and not the process's memory. Without
    ``file`` a temporary one is used, which is deleted at once and whose space is freed with the array.

    Returns:
        Pixels in the manifest's order, shape ``[faces, size, size, 3]``.
    """

    def decode_batch(batch: tf.Tensor) -> tf.Tensor:
        return tf.map_fn(lambda encoded: decode_and_resize(encoded, size), batch, tf.uint8, parallel_iterations=16)

    decode = tf.function(decode_batch, input_signature=[tf.TensorSpec([None], tf.string)], jit_compile=False)
    shape = (len(manifest), size, size, 3)
    if file is not None and file.exists():
        return np.memmap(file, np.uint8, "r", shape=shape)
    with tempfile.TemporaryFile() if file is None else file.open("w+b") as storage:
        storage.truncate(max(1, int(np.prod(shape))))
        images = np.memmap(storage, np.uint8, "r+", shape=shape)
    start = 0
    for batch in batched(read_encoded(images_path, manifest), _IMAGES_AT_ONCE):
        images[start : start + len(batch)] = decode(tf.constant(batch)).numpy()
        start += len(batch)
    return images


def _targets(manifest: Manifest, age_scale: AgeScale) -> Arrays:
    return {name: _target(output, manifest, age_scale)[:, None] for name, output in OUTPUTS.items()}


def _target(output: Output, manifest: Manifest, age_scale: AgeScale) -> npt.NDArray[np.generic]:
    truth = manifest.faces[output.name].to_numpy()
    if output.kind is Kind.REGRESSION:
        return age_scale.encode(truth)
    return truth.astype(np.float32 if output.kind is Kind.BINARY else np.int32)


def _selection_weights(validation: Manifest, training: TrainingSettings) -> npt.NDArray[np.float32]:
    """Return the weight of each validation face: 1, or one that makes every non-empty cell count equally."""
    if training.selection == "natural":
        return np.ones(len(validation), np.float32)
    cells = validation.cells()
    sizes = np.bincount(cells)
    weights = (1.0 / sizes[cells]).astype(np.float32)
    return np.asarray(weights / weights.mean(), np.float32)
