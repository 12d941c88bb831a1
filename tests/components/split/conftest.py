"""Manifests with given cells and duplicate groups, without any image."""

import numpy as np
import pandas as pd
import pytest

from components.dataset.labels import Labels
from components.dataset.manifest import Manifest

SMALL = Labels(ethnicities=("White", "Black"), max_age=20)


def label_faces(faces, labels=SMALL):
    """Return the manifest of (gender, ethnicity, age bin, duplicate group) for each face."""
    gender, ethnicity, age_bin, group = np.array(faces, int).reshape(-1, 4).T
    names = np.array([f"face-{place:05d}" for place in range(len(gender))], dtype=str)
    age = 1 + age_bin * labels.age_bin_width
    table = pd.DataFrame(
        {
            "image_id": names,
            "shard": "images-00000.parquet",
            "row": np.arange(len(gender), dtype=np.int32),
            "file_name": names,
            "content_hash": group.astype(str),
            "duplicate_group": group.astype(np.int32),
            "age": age.astype(np.int16),
            "log_age": np.log(age).astype(np.float32),
            "gender": gender.astype(np.int8),
            "ethnicity": ethnicity.astype(np.int8),
            "age_bin": age_bin.astype(np.int8),
        }
    )
    return Manifest(table, labels, "fingerprint")


@pytest.fixture(scope="session")
def label():
    return label_faces


@pytest.fixture(scope="session")
def fill():
    """Give a function that returns a manifest with as many faces in every cell."""

    def fill_cells(per_cell, labels=SMALL):
        shape = (len(labels.genders), len(labels.ethnicities), len(labels.age_bins))
        cells = np.repeat(np.indices(shape).reshape(3, -1).T, per_cell, axis=0)
        return label_faces(np.column_stack([cells, np.arange(len(cells))]), labels)

    return fill_cells
