"""Batches of faces."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from components.imbalance.treatment import Mixing
from components.training.augmentation import draw_changes, no_changes
from components.training.images import Images
from components.training.mixing import draw_mix, no_mix, pair_inputs
from components.training.settings import AugmentationSettings

_BATCHES_AHEAD = 2
_VALIDATION_SEED = 0
# Streams 1 to 6 of a batch's seed are those of the augmentation.
_PARTNERS = 7
# A range costs nothing to start; ``Dataset.counter`` traces two functions.
_ENDLESS = np.iinfo(np.int64).max

Arrays = Mapping[str, np.ndarray]
_Columns = tuple[dict[str, tf.Tensor], ...]
_Batch = tuple[dict[str, tf.Tensor], dict[str, tf.Tensor], dict[str, tf.Tensor]]


@dataclass(frozen=True)
class Faces:
    """Images with what a network is to learn from them.

    Attributes:
        images: Pixels 0 … 255, uint8, shape ``[faces, size, size, 3]``.
        targets: For each output, shape ``[faces, 1]``.
        weights: For each output the weight of each face in its loss, float32, shape ``[faces]``.
    """

    images: Images
    targets: Arrays
    weights: Arrays


def training_batches(
    faces: Faces,
    batch_size: int,
    augmentation: AugmentationSettings,
    seed: int,
    *,
    probabilities: npt.NDArray[np.float64] | None = None,
    deferred_weights: Arrays | None = None,
    deferred_from_epoch: int = 0,
    mixing: Mixing | None = None,
    mixed_epochs: int = 0,
    first_step: int = 0,
) -> tuple[tf.data.Dataset, int]:
    """Return endless training batches and the number of steps in an epoch.

    Args:
        faces: What to train on.
        batch_size: Faces per batch; the last batch of an epoch may be smaller.
        augmentation: Random changes of the images, which the model makes.
        seed: Fixes the order, the draws and the augmentation.
        probabilities: Probability of drawing each face, shape ``[faces]``. If given, an epoch is as many
            draws with replacement as there are faces; otherwise it is every face once, shuffled.
        deferred_weights: Weights that replace ``faces.weights`` from ``deferred_from_epoch`` on.
        deferred_from_epoch: First epoch, counted from 0, with the deferred weights.
        mixing: How partners are drawn and mixed into the faces, or None. The faces are drawn as without.
        mixed_epochs: How many epochs, from the first on, mix them.
        first_step: Steps to leave out, because a training that is taken up has made them.

    Returns:
        Batches ``(inputs, targets, weights)`` and the steps in an epoch. The inputs are those of
        :func:`~components.training.augmentation.augment`, the images as uint8. With a mixing they are those of
        :func:`~components.training.mixing.pair_inputs`, and targets and weights have a second column, the partners'.
    """
    count = len(faces.images)
    steps = -(-count // batch_size)
    if probabilities is None:
        order = _shuffled_indices(count, batch_size, seed)
    else:
        order = _drawn_indices(probabilities, batch_size, seed)
    columns = _columns(faces.targets, faces.weights, deferred_weights or faces.weights)
    partner_chances = None if mixing is None else _cumulative(mixing.probabilities)

    def changes(size: tf.Tensor, own_seed: tf.Tensor) -> dict[str, tf.Tensor]:
        if not augmentation.enabled:
            return no_changes(size)
        return draw_changes(size, faces.images.shape[1], augmentation, own_seed)

    def take(step: tf.Tensor, rows: tf.Tensor, own_seed: tf.Tensor) -> _Batch:
        inputs = {"images": _gather_images(faces.images, rows), **changes(tf.size(rows), own_seed)}
        targets, weights, late = _gather(columns, rows)
        deferred = step >= deferred_from_epoch * steps
        return inputs, targets, {name: tf.where(deferred, late[name], value) for name, value in weights.items()}

    def make_batch(step: tf.Tensor, rows: tf.Tensor) -> _Batch:
        own_seed = tf.stack([tf.cast(seed, tf.int64), step])
        batch = take(step, rows, own_seed)
        if mixing is None:
            return batch
        partner_seed = tf.random.experimental.stateless_fold_in(own_seed, _PARTNERS)
        partners = _draw(partner_chances, tf.size(rows), partner_seed)
        mix = draw_mix(tf.size(rows), faces.images.shape[1], mixing, partner_seed)
        mix["amount"] = tf.where(step < mixed_epochs * steps, mix["amount"], 0.0)
        return _pair(batch, take(step, partners, partner_seed), mix)

    numbered = tf.data.Dataset.zip((tf.data.Dataset.range(_ENDLESS), order))
    return _prefetch(make_batch, numbered.skip(first_step) if first_step else numbered), steps


def validation_batches(faces: Faces, batch_size: int, *, mixing: Mixing | None = None) -> tf.data.Dataset:
    """Return every face once, unchanged and in a shuffled order, as ``(inputs, targets, weights)``.

    With a mixing there are the inputs that the model has for it, which change nothing.

    Manifests go by file name, so by age, and a loss that sets the ages of a batch against each other says little
    where they are alike. The order is always the same, so that validation losses compare.
    """
    columns = _columns(faces.targets, faces.weights)

    def make_batch(rows: tf.Tensor) -> _Batch:
        targets, weights = _gather(columns, rows)
        inputs = {"images": _gather_images(faces.images, rows), **no_changes(tf.size(rows))}
        if mixing is not None:
            inputs = pair_inputs(inputs, inputs, no_mix(tf.size(rows), faces.images.shape[1]))
        return inputs, targets, weights

    order = np.random.default_rng(_VALIDATION_SEED).permutation(len(faces.images))
    return _prefetch(make_batch, tf.data.Dataset.from_tensor_slices(order).batch(batch_size))


def _prefetch(make_batch: Callable[..., _Batch], order: tf.data.Dataset) -> tf.data.Dataset:
    plain = tf.autograph.experimental.do_not_convert(make_batch)  # Nothing to convert, and looking for it takes time.
    return order.map(plain, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True).prefetch(_BATCHES_AHEAD)


def _shuffled_indices(count: int, batch_size: int, seed: int) -> tf.data.Dataset:
    """Return endless batches of indices, each index once in an epoch; an epoch's order depends on nothing before it."""

    def epoch_order(epoch: tf.Tensor) -> tf.data.Dataset:
        own_seed = tf.stack([tf.cast(seed, tf.int64), epoch])
        order = tf.random.experimental.stateless_shuffle(tf.range(count, dtype=tf.int64), own_seed)
        return tf.data.Dataset.from_tensor_slices(order).batch(batch_size)

    return tf.data.Dataset.range(_ENDLESS).flat_map(tf.autograph.experimental.do_not_convert(epoch_order))


def _drawn_indices(probabilities: npt.NDArray[np.float64], batch_size: int, seed: int) -> tf.data.Dataset:
    """Return endless batches of indices, an epoch being as many draws as there are faces."""
    count = len(probabilities)
    sizes = [batch_size] * (count // batch_size) + ([count % batch_size] if count % batch_size else [])
    cumulative = _cumulative(probabilities)

    def draw(step: tf.Tensor, size: tf.Tensor) -> tf.Tensor:
        return _draw(cumulative, size, tf.stack([tf.cast(seed, tf.int64), step]))

    epoch = tf.data.Dataset.from_tensor_slices(np.asarray(sizes, np.int64))
    return tf.data.Dataset.zip((tf.data.Dataset.range(_ENDLESS), epoch.repeat())).map(draw)


def _cumulative(probabilities: npt.NDArray[np.float64]) -> tf.Tensor:
    return tf.constant(np.cumsum(probabilities / probabilities.sum()), tf.float64)


def _draw(cumulative: tf.Tensor, size: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
    points = tf.random.stateless_uniform([size], seed, dtype=tf.float64)
    last = tf.size(cumulative, tf.int64) - 1
    return tf.minimum(tf.searchsorted(cumulative, points, side="right", out_type=tf.int64), last)


def _pair(faces: _Batch, partners: _Batch, mix: dict[str, tf.Tensor]) -> _Batch:
    targets = {name: tf.concat([first, partners[1][name]], axis=1) for name, first in faces[1].items()}
    weights = {name: tf.stack([first, partners[2][name]], axis=1) for name, first in faces[2].items()}
    return pair_inputs(faces[0], partners[0], mix), targets, weights


def _gather_images(images: Images, rows: tf.Tensor) -> tf.Tensor:
    batch = tf.numpy_function(lambda index: images[index], [rows], tf.uint8, stateful=False)
    return tf.ensure_shape(batch, (None, *images.shape[1:]))


def _columns(*tables: Arrays) -> _Columns:
    return tuple({name: tf.constant(values) for name, values in table.items()} for table in tables)


def _gather(columns: _Columns, rows: tf.Tensor) -> _Columns:
    gathered: _Columns = tf.nest.map_structure(lambda column: tf.gather(column, rows), columns)
    return gathered
