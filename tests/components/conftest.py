"""Manifests and predictions without any image: given cells, simulated faces, networks of known skill."""

import numpy as np
import pandas as pd
import pytest

from components.dataset.labels import Labels
from components.evaluation.predictions import Predictions
from tests.components.manifests import build_manifest
from tests.components.pictures import encode_picture, pack_tar, pack_zip


def _truth(labels, per_cell):
    codes = np.repeat(np.indices(labels.cell_shape).reshape(3, -1), per_cell, axis=1)
    ages = 1 + codes[2] * labels.age_bin_width + np.arange(codes.shape[1]) % per_cell % labels.age_bin_width
    return pd.DataFrame(
        {
            "image_id": [f"face-{place}" for place in range(len(ages))],
            "age": ages.astype(np.int16),
            "age_bin": codes[2].astype(np.int8),
            "gender": codes[0].astype(np.int8),
            "ethnicity": codes[1].astype(np.int8),
        }
    )


def simulate_predictions(
    variant="baseline", seed=1, *, per_cell=10, labels=None, age_error=8.0, gender_skill=0.85, signal=2.0, priors=None
):
    """Return predictions of a network whose ethnicity logits are signal + noise + log prior."""
    labels = labels or Labels()
    generator = np.random.default_rng([seed, *variant.encode()])
    faces = _truth(labels, per_cell)
    classes = len(labels.ethnicities)
    priors = np.full(classes, 1 / classes) if priors is None else np.asarray(priors)
    logits = generator.normal(size=(len(faces), classes)) + np.log(priors)
    logits[np.arange(len(faces)), faces["ethnicity"]] += signal
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = generator.random(len(faces)) < gender_skill
    gender = np.where(right, faces["gender"], 1 - faces["gender"])
    ages = np.clip(faces["age"] + generator.normal(0, age_error, len(faces)), 1, labels.max_age)
    return Predictions(
        faces.assign(
            predicted_age=ages.astype(np.float32),
            female_probability=np.where(gender == 1, 0.9, 0.1).astype(np.float32),
            predicted_gender=gender.astype(np.int8),
            ethnicity_probabilities=list(probabilities.astype(np.float32)),
            predicted_ethnicity=probabilities.argmax(axis=1).astype(np.int8),
        ),
        labels,
        variant,
        seed,
    )


def simulate_manifest(faces, *, labels=None, priors=None, seed=0):
    """Return a manifest with random labels whose ethnicities follow the priors."""
    labels = labels or Labels()
    generator = np.random.default_rng(seed)
    ages = generator.integers(1, labels.max_age + 1, faces)
    genders = generator.integers(0, 2, faces)
    ethnicities = generator.choice(len(labels.ethnicities), faces, p=priors)
    return build_manifest(ages, genders, ethnicities, labels=labels)


@pytest.fixture(scope="session")
def predict():
    """Give the simulator of predictions."""
    return simulate_predictions


@pytest.fixture(scope="session")
def make_manifest():
    """Give the simulator of manifests."""
    return simulate_manifest


SMALL = Labels(ethnicities=("White", "Black"), max_age=20)


def label_faces(faces, labels=SMALL):
    """Return the manifest of (gender, ethnicity, age bin, duplicate group) for each face."""
    gender, ethnicity, age_bin, group = np.array(faces, int).reshape(-1, 4).T
    return build_manifest(1 + age_bin * labels.age_bin_width, gender, ethnicity, groups=group, labels=labels)


@pytest.fixture(scope="session")
def label():
    """Give a function that returns the manifest of given cells and duplicate groups."""
    return label_faces


@pytest.fixture(scope="session")
def fill():
    """Give a function that returns a manifest with the same number of faces in every cell."""

    def fill_cells(per_cell, labels=SMALL):
        cells = np.repeat(np.indices(labels.cell_shape).reshape(3, -1).T, per_cell, axis=0)
        return label_faces(np.column_stack([cells, np.arange(len(cells))]), labels)

    return fill_cells


@pytest.fixture(scope="session")
def picture():
    """Give the maker of pictures."""
    return encode_picture


@pytest.fixture(scope="session")
def tar():
    """Give the packer of tar archives."""
    return pack_tar


@pytest.fixture(scope="session")
def zipped():
    """Give the packer of zip archives."""
    return pack_zip
