"""Faces and networks of known skill, simulated without any image, and what a training would have written of them."""

import dataclasses

import numpy as np
import pandas as pd

from components.compare.dataset import Dataset
from components.compare.runs import Run
from components.dataset.labels import Labels
from components.dataset.summaries import PreprocessSummary, TestSetSummary
from components.evaluation.predictions import Predictions
from components.imbalance.registry import SLOTS, find_variant
from components.imbalance.statistics import Statistics
from components.model.settings import Hyperparameters
from components.training.recipe import Recipe
from components.training.record import TrainingRecord
from tests.components.manifests import build_manifest

PRIORS = (0.55, 0.24, 0.04, 0.17)
"""Shares of the classes in training, one of them rare."""


def _truth(labels, per_cell, name):
    codes = np.repeat(np.indices(labels.cell_shape).reshape(3, -1), per_cell, axis=1)
    ages = 1 + codes[2] * labels.age_bin_width + np.arange(codes.shape[1]) % per_cell % labels.age_bin_width
    return pd.DataFrame(
        {
            "image_id": [f"{name}-{place}" for place in range(len(ages))],
            "age": ages.astype(np.int16),
            "age_bin": codes[2].astype(np.int8),
            "gender": codes[0].astype(np.int8),
            "ethnicity": codes[1].astype(np.int8),
        }
    )


VALIDATION_PER_CELL = 5


def simulate_predictions(
    variant="baseline",
    seed=1,
    *,
    per_cell=10,
    labels=None,
    age_error=8.0,
    gender_skill=0.85,
    signal=2.0,
    priors=None,
    faces="face",
):
    """Return predictions of a network whose ethnicity logits are signal + noise + log prior; ``faces`` names them."""
    labels = labels or Labels()
    generator = np.random.default_rng([seed, *variant.encode()] + [1] * (faces != "face"))
    faces = _truth(labels, per_cell, faces)
    classes = len(labels.ethnicities)
    priors = np.full(classes, 1 / classes) if priors is None else np.asarray(priors)
    logits = generator.normal(size=(len(faces), classes)) + np.log(priors)
    logits[np.arange(len(faces)), faces["ethnicity"]] += signal
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    right = generator.random(len(faces)) < gender_skill
    gender = np.where(right, faces["gender"], 1 - faces["gender"])
    ages = np.clip(faces["age"] + generator.normal(0, age_error, len(faces)), 1, labels.max_age)
    scores = {"age": ages, "gender": np.where(gender == 1, 0.9, 0.1), "ethnicity": probabilities}
    return Predictions.from_scores(faces, labels, scores, variant, seed)


def simulate_manifest(faces, *, labels=None, priors=None, seed=0):
    """Return a manifest with random labels whose ethnicities follow the priors."""
    labels = labels or Labels()
    generator = np.random.default_rng(seed)
    ages = generator.integers(1, labels.max_age + 1, faces)
    genders = generator.integers(0, 2, faces)
    ethnicities = generator.choice(len(labels.ethnicities), faces, p=priors)
    return build_manifest(ages, genders, ethnicities, labels=labels)


def simulate_dataset(predictions, faces=3000):
    """Return the data of a comparison whose test faces are those of predictions."""
    manifest = simulate_manifest(faces, priors=PRIORS)
    validated = simulate_predictions(per_cell=VALIDATION_PER_CELL, labels=predictions.labels, faces="validation")
    counts = {"gender": {"Male": faces}, "ethnicity": {"White": faces}, "age": {"30": faces}}
    return Dataset(
        manifest=manifest,
        train=manifest.subset(np.arange(2 * faces // 3)),
        validation=simulate_test_set(validated),
        test=simulate_test_set(predictions),
        rejected=3,
        preprocess=PreprocessSummary(
            fingerprint="fingerprint", files=faces + 3, faces=faces, faults=0, rejected=3,
            steps=[{"step": "read", "faces": faces + 3, "removed": 0, "why": "found"}],
            rejects={}, before=counts, after=counts, correlation={"columns": [], "matrix": []},
        ),
        test_set=TestSetSummary(
            test=640, pool=faces - 640, cells=64, shortfall=0, faces_per_cell=10, by_cell=[], shortfalls=[]
        ),
    )  # fmt: skip


def simulate_test_set(predictions):
    """Return a manifest of the faces that predictions are about."""
    manifest = simulate_manifest(len(predictions))
    truth = {name: predictions.faces[name] for name in ("image_id", "age", "age_bin", "gender", "ethnicity")}
    return dataclasses.replace(manifest, faces=manifest.faces.assign(**truth))


def simulate_run(predictions, output_priors=PRIORS, validation=None, **skills):
    """Return a run whose logits carry some priors, with as skilful a network's predictions on validation faces."""
    validation = validation or simulate_predictions(
        predictions.variant,
        predictions.seed,
        per_cell=VALIDATION_PER_CELL,
        labels=predictions.labels,
        priors=output_priors,
        faces="validation",
        **skills,
    )
    variant, treatment = find_variant(predictions.variant), {"weights": {"min": 1, "max": 1}, "deferred_weights": None}
    by_output = {
        name: dict(zip(predictions.labels.ethnicities, PRIORS, strict=True)) for name in ("age", "gender", "ethnicity")
    }
    statistics = Statistics(
        parameters={},
        faces={"given": 2000, "used": 2000},
        counts=by_output,
        priors=by_output,
        output_priors={
            "gender": None,
            "ethnicity": dict(zip(predictions.labels.ethnicities, output_priors, strict=True)),
        },
        resampling={"cure": "none", "details": {}},
        treatments={name: {"cure": variant.cure(name), **treatment, "details": {}} for name in by_output},
    )
    record = TrainingRecord(
        variant=variant.name, seed=predictions.seed, title=variant.title, source=variant.source,
        cures={slot: variant.cure_names(slot) for slot in SLOTS}, hyperparameters=Hyperparameters(),
        labels=predictions.labels, fingerprint="fingerprint", statistics=statistics, epochs_run=2, best_epoch=1,
        train_seconds=10.0, train_faces=2000, validation_faces=1000, parameters=9, recipe=Recipe(),
    )  # fmt: skip
    return Run(
        predictions, validation, record, pd.DataFrame({"epoch": [1, 2], "loss": [3.0, np.nan], "val_loss": [3.5, 3.0]})
    )
