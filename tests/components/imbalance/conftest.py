"""What the tests of the cures share: published values, training faces, gradients under either back end."""

import importlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

from components.dataset.manifest import Manifest
from tests.components.manifests import build_manifest


@pytest.fixture(scope="session")
def reference() -> dict[str, Any]:
    """Values computed with the authors' public code; each entry names its source."""
    content: dict[str, Any] = json.loads(Path(__file__).with_name("reference_values.json").read_text("utf-8"))
    return content


@pytest.fixture
def assert_close(record_property: Callable[[str, object], None]) -> Callable[..., None]:
    """Assert closeness and record the largest errors; the relative one leaves out values below 0.001."""

    def check(actual: Any, expected: Any, rtol: float, atol: float = 0.0) -> None:
        actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
        assert actual.shape == expected.shape
        errors = np.abs(actual - expected)
        large = np.abs(expected) > 1e-3
        record_property("largest_relative_error", float(np.max((errors / np.where(large, np.abs(expected), 1))[large])))
        record_property("largest_absolute_error", float(np.max(errors)))
        np.testing.assert_allclose(actual, expected, rtol=rtol, atol=atol)

    return check


@pytest.fixture(scope="session")
def value_and_gradient() -> Callable[..., tuple[float, np.ndarray]]:
    """Return a scalar function's value and its gradient with respect to an array of a given type."""

    def with_tensorflow(function: Callable[[Any], Any], at: np.ndarray, dtype: str) -> tuple[float, np.ndarray]:
        tensorflow = importlib.import_module("tensorflow")
        inputs = keras.ops.convert_to_tensor(at, dtype)
        with tensorflow.GradientTape() as tape:
            tape.watch(inputs)
            value = function(inputs)
        gradient = keras.ops.cast(tape.gradient(value, inputs), "float32")
        return float(value), np.asarray(gradient, np.float64)

    def with_jax(function: Callable[[Any], Any], at: np.ndarray, dtype: str) -> tuple[float, np.ndarray]:
        value, gradient = importlib.import_module("jax").value_and_grad(function)(
            keras.ops.convert_to_tensor(at, dtype)
        )
        return float(value), np.asarray(gradient, np.float64)

    return {"tensorflow": with_tensorflow, "jax": with_jax}[keras.backend.backend()]


@pytest.fixture(scope="session")
def make_faces() -> Callable[..., Manifest]:
    """Return a function that builds a manifest from labels, or draws imbalanced ones."""

    def build(
        count: int = 400,
        seed: int = 0,
        age: Any = None,
        gender: Any = None,
        ethnicity: Any = None,
    ) -> Manifest:
        generator = np.random.default_rng(seed)
        drawn_age = np.clip(generator.normal(32, 16, count).round(), 1, 80).astype(int)
        drawn_gender = (generator.random(count) < 0.4).astype(int)
        drawn_ethnicity = generator.choice(4, count, p=[0.55, 0.25, 0.05, 0.15])
        return build_manifest(
            drawn_age if age is None else age,
            drawn_gender if gender is None else gender,
            drawn_ethnicity if ethnicity is None else ethnicity,
        )

    return build
