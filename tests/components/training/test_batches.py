import numpy as np
import pytest

from components.training.batches import Faces, training_batches, validation_batches
from components.training.settings import AugmentationSettings

PLAIN = AugmentationSettings(enabled=False)


def faces(count):
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    return Faces(images, {"age": np.arange(count, dtype=np.float32)[:, None]}, {"age": np.full(count, 2.0, np.float32)})


def epochs(batches, steps, count):
    iterator = iter(batches)
    return [[next(iterator) for _ in range(steps)] for _ in range(count)]


def seen(epoch):
    return [int(value) for _, targets, _ in epoch for value in targets["age"].numpy()[:, 0]]


def test_an_epoch_is_every_face_once_in_an_order_that_changes_and_repeats_with_the_seed():
    batches, steps = training_batches(faces(10), 4, PLAIN, seed=7)
    first, second = (seen(epoch) for epoch in epochs(batches, steps, 2))
    assert steps == 3
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    again, _ = training_batches(faces(10), 4, PLAIN, seed=7)
    assert seen(epochs(again, steps, 1)[0]) == first


def test_images_and_targets_stay_together():
    batches, steps = training_batches(faces(10), 4, PLAIN, seed=1)
    for inputs, targets, _ in epochs(batches, steps, 1)[0]:
        assert np.array_equal(inputs["images"].numpy()[:, 0, 0, 0], targets["age"].numpy()[:, 0])


def test_drawing_with_probabilities_follows_them_and_keeps_the_length_of_an_epoch():
    chances = np.array([0.0, 0.0, 0.25, 0.75])
    batches, steps = training_batches(faces(4), 3, PLAIN, seed=1, probabilities=chances)
    drawn = [value for epoch in epochs(batches, steps, 250) for value in seen(epoch)]
    assert steps == 2
    assert len(drawn) == 1000
    assert set(drawn) == {2, 3}
    assert drawn.count(3) / 1000 == pytest.approx(0.75, abs=0.05)


def test_deferred_weights_take_over_at_their_epoch():
    late = {"age": np.full(8, 5.0, np.float32)}
    batches, steps = training_batches(faces(8), 4, PLAIN, seed=1, deferred_weights=late, deferred_from_epoch=2)
    weights = [set(batch[2]["age"].numpy()) for epoch in epochs(batches, steps, 3) for batch in epoch]
    assert weights == [{2.0}] * 4 + [{5.0}] * 2


def test_validation_is_every_face_once_in_an_order_that_is_mixed_and_always_the_same():
    order = seen(validation_batches(faces(100), 32))
    assert sorted(order) == list(range(100))
    assert seen(validation_batches(faces(100), 16)) == order
    # Batches in the order of the manifest would span a third of the range.
    assert all(np.ptp(order[start : start + 32]) > 66 for start in (0, 32, 64))
