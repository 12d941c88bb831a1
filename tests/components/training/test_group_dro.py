import keras
import numpy as np
import pytest

from components.dataset.age_scale import AgeScale
from components.dataset.labels import Labels
from components.training.group_dro import GroupDRO, reweigh

LABELS = Labels()


def robust_loss(weights, losses, groups, step):
    """Return the loss and the weights of algorithm 1 of Sagawa et al. 2020, group means as in the authors' code."""
    means = np.asarray(
        [losses[groups == group].mean() if (groups == group).any() else 0 for group in range(len(weights))]
    )
    weights = weights * np.exp(step * means)
    weights = weights / weights.sum()
    return weights @ means, weights


@pytest.mark.parametrize("step", [0.01, 0.5, 30.0])
def test_ten_steps_are_those_of_the_published_algorithm(step):
    generator = np.random.default_rng(0)
    ours, expected = np.full(6, -np.log(6), np.float32), np.full(6, 1 / 6)
    for _ in range(10):
        losses, groups = generator.gamma(2.0, size=32), generator.choice(6, 32, p=[0.5, 0.3, 0.1, 0.06, 0.04, 0])
        ours, factors = reweigh(ours, losses.astype(np.float32), np.eye(6, dtype=np.float32)[groups], step)
        value, expected = robust_loss(expected, losses, groups, step)
        np.testing.assert_allclose(np.exp(ours), expected, rtol=2e-4, atol=1e-30)
        assert np.mean(np.asarray(factors) * losses) == pytest.approx(value, rel=2e-4)


def draw(count, scale, seed=1):
    generator = np.random.default_rng(seed)
    ages = generator.integers(1, 81, count)
    codes = {"gender": generator.integers(0, 2, count), "ethnicity": generator.integers(0, 4, count)}
    cells = LABELS.cells({**codes, "age_bin": LABELS.age_bin(ages)})
    targets = {"age": scale.encode(ages), "gender": codes["gender"].astype(np.float32)}
    return {**targets, "ethnicity": codes["ethnicity"].astype(np.int32)}, cells


@pytest.mark.parametrize("scale", [AgeScale("log_age"), AgeScale("years")], ids=["log_age", "years"])
def test_a_step_of_the_model_minimises_the_weighted_loss_of_the_cells(scale):
    """Two steps of plain gradient descent on the weights of three linear heads, taken again in NumPy."""
    keras.utils.set_random_seed(0)
    targets, cells = draw(40, scale)
    features = np.random.default_rng(2).normal(size=(40, 3)).astype(np.float32)
    loss_weights = {"age": 2.0, "gender": 1.0, "ethnicity": 2.0}
    inputs = keras.Input((3,))
    units = {"age": 1, "gender": 1, "ethnicity": 4}
    outputs = {name: keras.layers.Dense(size, use_bias=False, name=name)(inputs) for name, size in units.items()}
    columns = {name: values[:, None] for name, values in targets.items()}
    model = GroupDRO(inputs, outputs, name="trial", step=0.5, labels=LABELS, age_scale=scale, targets=columns)
    np.testing.assert_array_equal(np.flatnonzero(np.exp(model.log_weights.numpy())), np.unique(cells))
    losses = {
        "age": keras.losses.MeanSquaredError(),
        "gender": keras.losses.BinaryCrossentropy(from_logits=True),
        "ethnicity": keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    }
    jit = keras.backend.backend() == "jax"
    model.compile(optimizer=keras.optimizers.SGD(0.01), loss=losses, loss_weights=loss_weights, jit_compile=jit)
    kernels = {name: model.get_layer(name).kernel.numpy().astype(float) for name in units}
    face_weights = {name: np.random.default_rng(3).uniform(0.5, 1.5, 40).astype(np.float32) for name in units}
    expected = np.bincount(cells, minlength=64) > 0
    expected = expected / expected.sum()
    truth = np.eye(4)[targets["ethnicity"]]
    for _ in range(2):
        scores = {name: features.astype(float) @ kernel for name, kernel in kernels.items()}
        shares = np.exp(scores["ethnicity"]) / np.exp(scores["ethnicity"]).sum(axis=1, keepdims=True)
        gender = 1 / (1 + np.exp(-scores["gender"]))
        errors = {
            "age": 2 * (scores["age"] - columns["age"]),
            "gender": gender - columns["gender"],
            "ethnicity": shares - truth,
        }
        each = {
            "age": ((scores["age"] - columns["age"]) ** 2)[:, 0],
            "gender": -np.log(np.where(columns["gender"] == 1, gender, 1 - gender))[:, 0],
            "ethnicity": -np.log(shares[truth == 1]),
        }
        total = sum(loss_weights[name] * face_weights[name] * each[name] for name in units)
        value, expected = robust_loss(expected, total, cells, 0.5)
        factors = (expected / np.maximum(np.bincount(cells, minlength=64), 1))[cells]
        for name in units:
            slope = loss_weights[name] * (factors * face_weights[name])[:, None] * errors[name]
            kernels[name] -= 0.01 * features.T @ slope
        assert float(model.train_on_batch(features, columns, face_weights)[0]) == pytest.approx(value, rel=1e-4)
        model.reset_metrics()
        with np.errstate(divide="ignore"):
            np.testing.assert_allclose(model.log_weights.numpy(), np.log(expected), rtol=1e-4, atol=1e-5)
    for name, kernel in kernels.items():
        np.testing.assert_allclose(model.get_layer(name).kernel.numpy(), kernel, rtol=1e-4, atol=1e-5)
    before = np.exp(model.log_weights.numpy())
    model.evaluate(features, columns, verbose=0)
    np.testing.assert_array_equal(np.exp(model.log_weights.numpy()), before)
