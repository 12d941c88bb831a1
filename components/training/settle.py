"""The settings that follow from the machine: values in place of ``auto``."""

import logging

import keras
import tensorflow as tf

from components.errors import RequestError
from components.model.settings import Hyperparameters
from components.training.augmentation import no_changes
from components.training.compiled import build_compiled
from components.training.data import TrainingData
from components.training.devices import distribution, fastest_precision
from components.training.recipe import Recipe

_log = logging.getLogger(__name__)

_LARGEST_BATCH = 1024
_FEWEST_STEPS = 20


def settle(recipe: Recipe, data: TrainingData, hyperparameters: Hyperparameters) -> Recipe:
    """Return the recipe with this machine's values in place of ``auto``.

    It builds networks to try, so seed everything afterwards.

    Raises:
        RequestError: If not even one face fits into the memory.
    """
    training = recipe.training
    if training.precision == "auto":
        training = training.model_copy(update={"precision": fastest_precision()})
    if training.batch_size == "auto":
        size = _largest_fitting_batch(recipe, data, hyperparameters)
        _log.info("batches of %d faces fit into the memory", size)
        training = training.model_copy(update={"batch_size": size})
    return recipe.model_copy(update={"training": training})


def _largest_fitting_batch(recipe: Recipe, data: TrainingData, hyperparameters: Hyperparameters) -> int:
    devices: int = distribution().num_replicas_in_sync
    largest = min(_LARGEST_BATCH, len(data.train.images) // _FEWEST_STEPS) // devices
    for share in (1 << power for power in range(max(1, largest).bit_length() - 1, -1, -1)):
        size = share * devices
        keras.backend.clear_session()
        training = recipe.training.model_copy(update={"batch_size": size})
        try:
            model = build_compiled(data, recipe.model_copy(update={"training": training}), hyperparameters)
            _train_one_step(model, data, size)
        except (tf.errors.ResourceExhaustedError, MemoryError):
            continue
        return size
    problem = "The memory does not hold a training step with a single face"
    raise RequestError(problem, remedy="lower model.image_size or use a larger machine")


def _train_one_step(model: keras.Model, data: TrainingData, size: int) -> None:
    inputs = {"images": tf.zeros([size, *data.train.images.shape[1:]], tf.uint8), **no_changes(size)}
    targets = {name: tf.repeat(values[:1], size, axis=0) for name, values in data.train.targets.items()}
    model.train_on_batch(inputs, targets)
