"""Rows on the way from files to augmented batches."""

import io
from functools import partial
from itertools import islice
from typing import Any

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns
from tests.benchmarks.row import Row, faster
from tests.benchmarks.rows.recipes import BATCH, SIDE, choose, consume, generator_flow, load, make_recipe

_IMAGES = 10 * BATCH
# A first epoch traces its graphs, once: on 640 faces that is a fifth of its time, on the thousands of a training 5 %.
_FIRST_IMAGES = 40 * BATCH


def _our_batches(faces: Faces, count: int = _IMAGES) -> tuple[Any, int]:
    from components.training.augmentation import Augmentation
    from components.training.batches import training_batches

    recipe = make_recipe()
    batches, steps = training_batches(load(faces, count, recipe).train, BATCH, recipe.augmentation, 0)
    # The pixels are changed inside the model, by its first layer.
    augmentation = Augmentation()
    return (augmentation(**inputs, training=True) for inputs, _, _ in batches), steps


def our_warm_epochs(faces: Faces, turns: Turns) -> None:
    """Iterate over our loader, the images decoded."""
    batches, steps = _our_batches(faces)
    turns.units = _IMAGES
    for _ in turns:
        consume(batches, steps)


def our_first_epochs(faces: Faces, turns: Turns) -> None:
    """Decode and iterate, from the shards each time."""
    turns.units = _FIRST_IMAGES
    for _ in turns:
        consume(*_our_batches(faces, _FIRST_IMAGES))


def generator_epochs(faces: Faces, turns: Turns, count: int = _IMAGES) -> None:
    """Iterate over Keras's generator, which reads and decodes the files in every epoch."""
    flow = generator_flow(faces, count)
    turns.units = count
    for _ in turns:
        consume(flow, len(flow))


def chained_op_epochs(faces: Faces, turns: Turns) -> None:
    """Iterate over the same affine augmentation done by TensorFlow's own operation for projective transforms."""
    import tensorflow as tf

    images = tf.constant(load(faces, _IMAGES, make_recipe()).train.images[:])

    def augment(rows: tf.Tensor) -> tf.Tensor:
        count = tf.shape(rows)[0]
        angle = tf.random.uniform([count], -0.26, 0.26)
        scale = tf.random.uniform([count], 0.9, 1.1) * tf.sign(tf.random.uniform([count], -1.0, 1.0))
        shift = tf.random.uniform([2, count], -0.1, 0.1) * SIDE
        cosine, sine, none = scale * tf.cos(angle), tf.abs(scale) * tf.sin(angle), tf.zeros([count])
        changed = tf.raw_ops.ImageProjectiveTransformV3(
            images=tf.cast(tf.gather(images, rows), tf.float32),
            transforms=tf.stack([cosine, -sine, shift[0], sine, cosine, shift[1], none, none], axis=1),
            output_shape=[SIDE, SIDE],
            interpolation="BILINEAR",
            fill_mode="REFLECT",
            fill_value=0.0,
        )
        return tf.clip_by_value(changed + tf.random.uniform([count, 1, 1, 1], -38.0, 38.0), 0.0, 255.0)

    order = tf.data.Dataset.range(_IMAGES).shuffle(_IMAGES).batch(BATCH).repeat()
    batches = iter(order.map(augment, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE))
    turns.units = _IMAGES
    for _ in turns:
        consume(batches, _IMAGES // BATCH)


def our_decoding(faces: Faces, turns: Turns) -> None:
    """Load faces as the stages tune and train do: read from shards, decode, resize."""
    recipe = make_recipe()
    turns.units = _IMAGES
    for _ in turns:
        load(faces, _IMAGES, recipe)


def pillow_decoding(faces: Faces, turns: Turns) -> None:
    """Read, decode and resize the same faces with Pillow, one after the other."""
    import numpy as np
    from PIL import Image

    from components.dataset.images import read_encoded

    manifest = choose(faces, _IMAGES)
    turns.units = _IMAGES
    for _ in turns:
        for encoded in islice(read_encoded(faces.images, manifest), _IMAGES):
            with Image.open(io.BytesIO(encoded)) as image:
                np.asarray(image.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BILINEAR))


ROWS = (
    Row(
        "warm_epoch",
        "augmented images, warm epoch, against ImageDataGenerator",
        our_warm_epochs,
        generator_epochs,
        bars=(faster(9.0),),
        unit="image",
        pairs=5,
        constant="augmentation",
    ),
    Row(
        "first_epoch",
        "the same, first epoch with decoding",
        our_first_epochs,
        partial(generator_epochs, count=_FIRST_IMAGES),
        bars=(faster(4.0),),
        unit="image",
        pairs=3,
    ),
    Row(
        "decode",
        "loading and decoding, against Pillow one by one",
        our_decoding,
        pillow_decoding,
        bars=(faster(),),
        unit="image",
        constant="decode",
    ),
    Row(
        "kernel",
        "augmentation, against TensorFlow's projective transform",
        our_warm_epochs,
        chained_op_epochs,
        bars=(faster(),),
        unit="image",
    ),
)
