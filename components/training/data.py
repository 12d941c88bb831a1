"""The faces that one variant trains and validates on, with their targets and weights."""

import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.dataset.outputs import Kind, Output
from components.imbalance.plan import TrainingPlan, prepare
from components.imbalance.registry import Variant
from components.training.batches import Arrays, Faces
from components.training.images import EncodedImages, free_memory_bytes, load_images
from components.training.recipe import Recipe
from components.training.settings import TrainingSettings

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrainingData:
    """What one variant trains and validates on.

    Attributes:
        train: Training faces after the variant's resampling, with its weights.
        validation: Validation faces. Their weights are all 1, or those of ``selection: balanced``.
        plan: The variant's losses, weights and draws, computed from the training faces alone.
        labels: Names of the classes.
        age_scale: Scale of the age targets.
        initial_age: Mean training target of the age head; 0 without one.
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
    age_scale = AgeScale(recipe.model.age_target, train.labels.max_age)
    plan = prepare(variant, recipe.imbalance, train, age_scale)
    kept = train.subset(np.asarray(plan.rows))
    targets = _targets(kept, age_scale)
    size = recipe.model.image_size
    # Both sets or neither: the shares of the free memory are those of the faces.
    memory = recipe.training.decoded_memory_share * free_memory_bytes() / (len(kept) + len(validation))
    train_images, validation_images = (
        load_images(images_path, faces, size, memory * len(faces), decoded and decoded / f"{part}.uint8")
        for part, faces in (("train", kept), ("validation", validation))
    )
    if isinstance(train_images, EncodedImages):
        _log.info("the decoded images would take too much memory: every batch is decoded anew")
    return TrainingData(
        train=Faces(train_images, targets, plan.sample_weights),
        validation=Faces(
            validation_images,
            _targets(validation, age_scale),
            dict.fromkeys(train.labels.outputs, _selection_weights(validation, recipe.training)),
        ),
        plan=plan,
        labels=train.labels,
        age_scale=age_scale,
        initial_age=float(np.average(targets["age"][:, 0], weights=plan.probabilities)) if "age" in targets else 0.0,
    )


def _targets(manifest: Manifest, age_scale: AgeScale) -> Arrays:
    return {name: _target(output, manifest, age_scale)[:, None] for name, output in manifest.labels.outputs.items()}


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
