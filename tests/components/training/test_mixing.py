"""Faces with other faces mixed into them: what is drawn, what the network sees, and the loss."""

from types import SimpleNamespace

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from components.imbalance.treatment import Mixing
from components.training.batches import Faces, training_batches, validation_batches
from components.training.fit import mixed_epochs
from components.training.mixing import Mix, MixedFaces, draw_mix, mix, no_mix, pair_inputs, partner_share
from components.training.settings import AugmentationSettings

PLAIN = AugmentationSettings(enabled=False)
ALIKE = np.full(4, 0.25)


def draws(mixing, size, count):
    """Return the boxes and amounts of some batches, float64, ``[count, 4]`` and ``[count]``."""
    seeds = tf.data.Dataset.range(count).map(lambda step: tf.stack([tf.constant(1, tf.int64), step]))
    drawn = next(iter(seeds.map(lambda seed: draw_mix(1, size, mixing, seed)).batch(count)))
    return drawn["box"].numpy()[:, 0].astype(float), drawn["amount"].numpy()[:, 0, 0].astype(float)


def test_a_pasted_box_replaces_the_pixels_inside_and_counts_by_the_area_that_the_border_leaves():
    generator = np.random.default_rng(0)
    images, partners = generator.uniform(0, 255, (2, 4, 10, 10, 3)).astype(np.float32)
    # A square of side 6 around (5, 5), (0, 9) and (9, 9); and nothing at all.
    corners = np.float32([[2, 8, 2, 8], [0, 3, 6, 10], [6, 10, 6, 10], [5, 5, 5, 5]])
    expected = images.copy()
    expected[0, 2:8, 2:8], expected[1, :3, 6:], expected[2, 6:, 6:] = (
        partners[0, 2:8, 2:8],
        partners[1, :3, 6:],
        partners[2, 6:, 6:],
    )
    np.testing.assert_array_equal(mix(images, partners, corners, np.ones((4, 1), np.float32)), expected)
    np.testing.assert_allclose(partner_share(corners, np.ones((4, 1), np.float32), 10), [0.36, 0.12, 0.16, 0.0])


def test_blended_images_are_the_average_by_the_share_and_no_mix_leaves_them_to_the_bit():
    generator = np.random.default_rng(0)
    images, partners = generator.uniform(0, 255, (2, 3, 10, 10, 3)).astype(np.float32)
    whole, shares = np.float32([[0, 10, 0, 10]] * 3), np.float32([[0.0], [0.3], [1.0]])
    expected = images + shares[:, :, None, None] * (partners.astype(float) - images)
    np.testing.assert_allclose(mix(images, partners, whole, shares), expected, rtol=1e-5)
    np.testing.assert_allclose(partner_share(whole, shares, 10), shares[:, 0])
    nothing = {name: values.numpy() for name, values in no_mix(3, 10).items()}
    np.testing.assert_array_equal(mix(images, partners, **nothing), images)
    layer = Mix()
    np.testing.assert_array_equal(layer(images, partners, whole, shares, training=False), images)


def extents(size):
    """Return the probability of each height of the authors' box, from all its sizes and centres."""
    chances = np.zeros(size + 1)
    sides = np.arange(size + 1)
    # The side is int(size · √share) with a uniform share.
    for side, chance in zip(sides, np.diff(np.append(sides**2, size**2) / size**2), strict=True):
        half = side // 2
        for centre in range(size):
            chances[np.clip(centre + half, 0, size) - np.clip(centre - half, 0, size)] += chance / size
    return chances


@pytest.mark.parametrize("size", [12, 31])
def test_boxes_are_distributed_as_those_of_the_authors(size):
    boxes, amounts = draws(Mixing(ALIKE, "paste", (1.0, 1.0), chance=0.5), size, 4000)
    assert set(amounts) == {0.0, 1.0}
    assert stats.binomtest(int(amounts.sum()), len(amounts), 0.5).pvalue > 0.001
    heights, widths = boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]
    assert (np.abs(heights - widths)[(boxes[:, [0, 2]] > 0).all(1) & (boxes[:, [1, 3]] < size).all(1)] == 0).all()
    expected = extents(size) * len(boxes)
    common = expected > 5
    for lengths in (heights, widths):
        seen = np.bincount(lengths.astype(int), minlength=size + 1)
        # What is rare is one more cell of the test.
        cells = np.append(seen[common], seen[~common].sum()), np.append(expected[common], expected[~common].sum())
        kept = cells[1] > 0
        assert cells[0][~kept].sum() == 0
        assert stats.chisquare(cells[0][kept], cells[1][kept]).pvalue > 0.001


@pytest.mark.parametrize("parameters", [(0.2, 1.0), (1.0, 1.0), (2.5, 0.7)])
def test_blended_shares_follow_their_beta_distribution(parameters):
    boxes, amounts = draws(Mixing(ALIKE, "blend", parameters), 8, 2000)
    assert (boxes == [0, 8, 0, 8]).all()
    assert stats.kstest(amounts, stats.beta(*parameters).cdf).pvalue > 0.001


def faces(count):
    images = np.arange(count, dtype=np.uint8)[:, None, None, None] * np.ones((1, 4, 4, 3), np.uint8)
    ages = np.arange(count, dtype=np.float32)
    return Faces(images, {"age": ages[:, None]}, {"age": 1 + ages})


def test_partners_are_drawn_by_their_probabilities_and_the_faces_stay_as_without():
    chances = np.asarray([0.0, 0.05, 0.15, 0.3, 0.5])
    mixing = Mixing(chances, "paste", (1.0, 1.0), unmixed_fraction=0.25)
    batches, steps = training_batches(faces(5), 2, PLAIN, 7, mixing=mixing, mixed_epochs=300)
    plain, _ = training_batches(faces(5), 2, PLAIN, 7)
    seen, amounts = [], []
    for (inputs, targets, weights), (alone, own, own_weights) in zip(batches.take(400 * steps), plain, strict=False):
        np.testing.assert_array_equal(inputs["images"], alone["images"])
        np.testing.assert_array_equal(targets["age"][:, :1], own["age"])
        np.testing.assert_array_equal(weights["age"][:, 0], own_weights["age"])
        np.testing.assert_array_equal(inputs["partner_images"][:, 0, 0, 0], targets["age"][:, 1])
        np.testing.assert_array_equal(weights["age"], 1 + targets["age"])
        seen += targets["age"][:, 1].numpy().astype(int).tolist()
        amounts.append(inputs["amount"].numpy())
    counts = np.bincount(seen, minlength=5)
    assert counts[0] == 0
    assert stats.chisquare(counts[1:], chances[1:] * len(seen)).pvalue > 0.001
    assert all((amount == 1).all() for amount in amounts[: 300 * steps])
    assert all((amount == 0).all() for amount in amounts[300 * steps :])


def test_pairs_are_augmented_each_in_its_own_way():
    mixing = Mixing(np.full(8, 1 / 8), "blend", (1.0, 1.0))
    batches, _ = training_batches(faces(8), 8, AugmentationSettings(), 7, mixing=mixing, mixed_epochs=1)
    inputs, _, _ = next(iter(batches))
    assert np.unique(np.concatenate([inputs["transforms"], inputs["partner_transforms"]]), axis=0).shape == (16, 6)


def test_the_last_part_of_the_epochs_mixes_nothing():
    plan = SimpleNamespace(mixing=Mixing(ALIKE, "paste", (1.0, 1.0), unmixed_fraction=0.1))
    assert [mixed_epochs(plan, epochs) for epochs in (1, 25, 200)] == [1, 23, 180]
    assert mixed_epochs(SimpleNamespace(mixing=None), 25) == 0


UNITS = {"age": 1, "gender": 1, "ethnicity": 4}
LOSS_WEIGHTS = {"age": 2.0, "gender": 1.0, "ethnicity": 2.0}


def losses_and_slopes(scores, targets):
    """Return each face's squared error, binary and categorical cross-entropy and their derivatives, in NumPy."""
    gender = 1 / (1 + np.exp(-scores["gender"]))
    shares = np.exp(scores["ethnicity"]) / np.exp(scores["ethnicity"]).sum(axis=1, keepdims=True)
    truth = np.eye(4)[targets["ethnicity"].astype(int)]
    age_error, woman = scores["age"] - targets["age"][:, None], targets["gender"][:, None]
    losses = {
        "age": age_error[:, 0] ** 2,
        "gender": -np.log(np.where(woman == 1, gender, 1 - gender))[:, 0],
        "ethnicity": -np.log(shares[truth == 1]),
    }
    return losses, {"age": 2 * age_error, "gender": gender - woman, "ethnicity": shares - truth}


def test_a_step_minimises_the_losses_of_both_faces_by_their_shares_of_the_image():
    """Two steps of plain gradient descent on three linear heads of the mixed pixels, taken again in NumPy."""
    keras.utils.set_random_seed(0)
    generator = np.random.default_rng(1)
    count, size = 24, 4
    images, partners = generator.normal(size=(2, count, size, size, 3)).astype(np.float32)
    low, high = np.sort(generator.integers(0, size + 1, (2, count, 2)), axis=0).astype(np.float32)
    box = np.stack([low[:, 0], high[:, 0], low[:, 1], high[:, 1]], axis=1)
    amount = np.where(np.arange(count) % 3 == 0, 1.0, generator.random(count)).astype(np.float32)[:, None]
    shapes = {"images": (size, size, 3), "partner_images": (size, size, 3), "box": (4,), "amount": (1,)}
    inputs = {name: keras.Input(shape, name=name) for name, shape in shapes.items()}
    flat = keras.layers.Flatten()(Mix()(*inputs.values()))
    outputs = {name: keras.layers.Dense(units, use_bias=False, name=name)(flat) for name, units in UNITS.items()}
    model = MixedFaces(inputs, outputs)
    model.compile(
        optimizer=keras.optimizers.SGD(0.01),
        loss={
            "age": keras.losses.MeanSquaredError(),
            "gender": keras.losses.BinaryCrossentropy(from_logits=True),
            "ethnicity": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        },
        loss_weights=LOSS_WEIGHTS,
        metrics={"age": [keras.metrics.MeanAbsoluteError(name="mae")]},
        jit_compile=keras.backend.backend() == "jax",
    )
    targets = {
        "age": generator.normal(size=(count, 2)).astype(np.float32),
        "gender": generator.integers(0, 2, (count, 2)).astype(np.float32),
        "ethnicity": generator.integers(0, 4, (count, 2)).astype(np.int32),
    }
    weights = {name: generator.uniform(0.2, 2, (count, 2)).astype(np.float32) for name in UNITS}
    kernels = {name: model.get_layer(name).kernel.numpy().astype(float) for name in UNITS}
    seen = images.astype(float).copy()
    for face, (top, bottom, left, right) in enumerate(box.astype(int)):
        part = np.s_[face, top:bottom, left:right]
        seen[part] += amount[face].astype(float) * (partners[part] - seen[part])
    features = seen.reshape(count, -1)
    area = (box[:, 1] - box[:, 0]) * (box[:, 3] - box[:, 2]) / size**2
    shares = np.stack([1 - amount[:, 0] * area, amount[:, 0] * area], axis=1).astype(float)
    pairs = pair_inputs({"images": images}, {"images": partners}, {"box": box, "amount": amount})
    for _ in range(2):
        scores = {name: features @ kernel for name, kernel in kernels.items()}
        parts, slopes = dict.fromkeys(UNITS, 0.0), dict.fromkeys(UNITS, 0.0)
        for column in (0, 1):
            losses, errors = losses_and_slopes(scores, {name: values[:, column] for name, values in targets.items()})
            for name in UNITS:
                factors = shares[:, column] * weights[name][:, column]
                parts[name] += np.mean(factors * losses[name])
                slopes[name] += LOSS_WEIGHTS[name] / count * features.T @ (factors[:, None] * errors[name])
        logs = model.train_on_batch(pairs, targets, weights, return_dict=True)
        assert logs["loss"] == pytest.approx(sum(LOSS_WEIGHTS[name] * parts[name] for name in UNITS), rel=1e-5)
        for name in UNITS:
            assert logs[f"{name}_loss"] == pytest.approx(parts[name], rel=1e-5)
            kernels[name] -= 0.01 * slopes[name]
            np.testing.assert_allclose(model.get_layer(name).kernel.numpy(), kernels[name], rtol=1e-4, atol=1e-6)
        assert logs["age_mae"] == pytest.approx(np.abs(scores["age"][:, 0] - targets["age"][:, 0]).mean(), rel=1e-5)
        model.reset_metrics()
    alone = {name: values[:, :1] for name, values in targets.items()}
    scores = {name: images.reshape(count, -1) @ kernel for name, kernel in kernels.items()}
    losses, _ = losses_and_slopes(scores, {name: values[:, 0] for name, values in alone.items()})
    plain = sum(LOSS_WEIGHTS[name] * losses[name].mean() for name in UNITS)
    assert model.evaluate(pairs, alone, return_dict=True, verbose=0)["loss"] == pytest.approx(plain, rel=1e-4)


def test_validation_sees_every_face_as_it_is():
    mixing = Mixing(np.full(8, 1 / 8), "paste", (1.0, 1.0))
    mixed, plain = validation_batches(faces(8), 8, mixing=mixing), validation_batches(faces(8), 8)
    (inputs, *labels), (alone, *own) = next(iter(mixed)), next(iter(plain))
    np.testing.assert_array_equal(inputs["images"], alone["images"])
    np.testing.assert_array_equal(inputs["amount"], 0)
    for ours, expected in zip(labels, own, strict=True):
        np.testing.assert_array_equal(ours["age"], expected["age"])
