"""Rows on training steps."""

from functools import partial

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns
from tests.benchmarks.row import Row, faster
from tests.benchmarks.rows.recipes import (
    BATCH,
    DENSE_UNITS,
    DROPOUT,
    SIDE,
    epoch_turns,
    fit_generator,
    generator_flow,
    keras_network,
    load,
    make_recipe,
)

_STEPS = 8
_IMAGES = _STEPS * BATCH


def our_training(faces: Faces, turns: Turns, side: int = SIDE) -> None:
    """Train as the stage train does, augmentation on; an epoch is a turn."""
    from components.model.settings import Hyperparameters
    from components.training.compiled import build_compiled
    from components.training.fit import fit_network, seed_everything

    seed_everything(0, deterministic=True)
    recipe = make_recipe(turns.total, side)
    data = load(faces, _IMAGES, recipe)
    network = build_compiled(data, recipe, Hyperparameters(dense_units=DENSE_UNITS, dropout=DROPOUT))
    turns.units = _IMAGES
    fit_network(network, data, recipe, 0, [epoch_turns(turns)])


def our_constant_batch(faces: Faces, turns: Turns, side: int = SIDE) -> None:
    """Train the same compiled model on one batch in memory, again and again: what a step costs without its data."""
    import tensorflow as tf

    from components.model.settings import Hyperparameters
    from components.training.batches import training_batches
    from components.training.compiled import build_compiled
    from components.training.fit import seed_everything
    from components.training.settings import AugmentationSettings

    seed_everything(0, deterministic=True)
    # The model would change the pixels itself.
    still = AugmentationSettings(enabled=False)
    recipe = make_recipe(turns.total, side).model_copy(update={"augmentation": still})
    data = load(faces, BATCH, recipe)
    network = build_compiled(data, recipe, Hyperparameters(dense_units=DENSE_UNITS, dropout=DROPOUT))
    batches, _ = training_batches(data.train, BATCH, recipe.augmentation, 0)
    constant = tf.data.Dataset.from_tensors(next(iter(batches))).repeat()
    turns.units = _IMAGES
    network.fit(constant, epochs=turns.total, steps_per_epoch=_STEPS, callbacks=[epoch_turns(turns)], verbose=0)


def generator_training(faces: Faces, turns: Turns) -> None:
    """Train as the proof of concept did: Keras's generator into Keras's own network."""
    flow = generator_flow(faces, _IMAGES)
    turns.units = _IMAGES
    fit_generator(keras_network(classes=5), flow, turns.total, epoch_turns(turns))


def keras_constant_batch(faces: Faces, turns: Turns, side: int = SIDE) -> None:
    """Train the network as Keras builds it, BatchNorm not fused, on one batch in memory."""
    import numpy as np
    import tensorflow as tf

    images = load(faces, BATCH, make_recipe(side=side)).train.images[:]
    ages, codes = np.full((BATCH, 1), 3.4, np.float32), np.arange(BATCH)[:, None]
    batch = tf.constant(images, tf.float32), (ages, codes % 2, codes % 4)
    turns.units = _IMAGES
    constant = tf.data.Dataset.from_tensors(batch).repeat()
    keras_network(4, side).fit(
        constant, epochs=turns.total, steps_per_epoch=_STEPS, callbacks=[epoch_turns(turns)], verbose=0
    )


ROWS = (
    Row(
        "training",
        "training, augmentation on, against the proof of concept's recipe",
        our_training,
        generator_training,
        bars=(faster(2.5),),
        unit="image",
    ),
    Row(
        "training_input",
        "training, augmentation on, against one constant batch",
        our_training,
        our_constant_batch,
        bars=(faster(0.92),),
        unit="image",
        pairs=4,
    ),
    Row(
        "batch_norm",
        "training step at 224 px, against the network as Keras builds it",
        our_constant_batch,
        keras_constant_batch,
        bars=(faster(),),
        unit="image",
        constant="training_step_224px",
    ),
    Row(
        "batch_norm_32px",
        "training step at 32 px, against the network as Keras builds it",
        partial(our_constant_batch, side=32),
        partial(keras_constant_batch, side=32),
        bars=(faster(),),
        unit="image",
        constant="training_step_32px",
    ),
)
