"""The settings that follow from the machine: values in place of ``auto``."""

import logging

import keras
import tensorflow as tf

from components.errors import RequestError
from components.model.settings import Hyperparameters
from components.training.augmentation import no_changes
from components.training.compiled import build_compiled
from components.training.data import TrainingData
from components.training.devices import fastest_precision
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
        draft = recipe.model_copy(update={"training": training.model_copy(update={"batch_size": 1})})
        size = _largest_fitting_batch(draft, data, hyperparameters)
        _log.info("batches of %d faces fit into the memory", size)
        training = training.model_copy(update={"batch_size": size})
    return recipe.model_copy(update={"training": training})


def _largest_fitting_batch(recipe: Recipe, data: TrainingData, hyperparameters: Hyperparameters) -> int:
    size = 1 << max(0, min(_LARGEST_BATCH, len(data.train.images) // _FEWEST_STEPS).bit_length() - 1)
    while True:
        keras.backend.clear_session()
        try:
            _train_one_step(build_compiled(data, recipe, hyperparameters), data, size)
        except (tf.errors.ResourceExhaustedError, MemoryError) as error:
            if size == 1:
                problem = "The memory does not hold a training step with a single face"
                raise RequestError(problem, remedy="lower model.image_size or use a larger machine") from error
            size //= 2
        else:
            return size


def _train_one_step(network: keras.Model, data: TrainingData, size: int) -> None:
    inputs = {"images": tf.zeros([size, *data.train.images.shape[1:]], tf.uint8), **no_changes(size)}
    targets = {name: tf.repeat(values[:1], size, axis=0) for name, values in data.train.targets.items()}
    network.train_on_batch(inputs, targets)
