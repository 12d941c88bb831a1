"""Manifests without any image."""

import numpy as np
import pandas as pd

from components.dataset.labels import Labels
from components.dataset.manifest import Manifest


def build_manifest(age, gender, ethnicity, *, groups=None, labels=None):
    """Return a manifest of the given labels; without duplicate groups, no face has a copy."""
    labels, ages, rows = labels or Labels(), np.asarray(age), np.arange(len(age))
    names = np.array([f"face-{row:05d}" for row in rows], dtype=str)
    groups = rows if groups is None else np.asarray(groups)
    faces = pd.DataFrame(
        {
            "image_id": names,
            "shard": "images-00000.parquet",
            "row": rows.astype(np.int32),
            "file_name": names,
            "content_hash": groups.astype(str),
            "duplicate_group": groups.astype(np.int32),
            "age": ages.astype(np.int16),
            "log_age": np.log(ages).astype(np.float32),
            "gender": np.asarray(gender, np.int8),
            "ethnicity": np.asarray(ethnicity, np.int8),
            "age_bin": labels.age_bin(ages),
        }
    )
    return Manifest(faces, labels, "fingerprint")
