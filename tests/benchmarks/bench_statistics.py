"""Time the statistics of a large report, and compare the bootstrap with a loop over scikit-learn.

Run by hand: ``python tests/benchmarks/bench_statistics.py``. Not collected by pytest.
"""

import argparse
import time

import numpy as np
import pandas as pd
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from components.compare.comparison import build_comparison
from components.compare.data_facts import DataFacts
from components.compare.runs import Run
from components.compare.settings import CompareSettings
from components.dataset.labels import Labels
from components.dataset.manifest import Manifest
from components.evaluation.bootstrap import Weighting, percentile_interval
from components.evaluation.predictions import Predictions

LABELS = Labels()
PRIORS = np.array([0.55, 0.23, 0.04, 0.18])


def make_faces(ages, genders, ethnicities, prefix):
    """Return a manifest of faces with the given labels."""
    names = np.array([f"{prefix}-{place}" for place in range(len(ages))])
    table = {
        "image_id": names, "shard": "shard", "row": np.arange(len(ages), dtype=np.int32), "file_name": names,
        "content_hash": names, "duplicate_group": np.arange(len(ages), dtype=np.int32),
        "age": ages.astype(np.int16), "log_age": np.log(ages).astype(np.float32),
        "gender": genders.astype(np.int8), "ethnicity": ethnicities.astype(np.int8), "age_bin": LABELS.age_bin(ages),
    }  # fmt: skip
    return Manifest(pd.DataFrame(table), LABELS, "benchmark")


def make_data():
    """Return 640 test faces, 10 in each of 64 cells, and 18,000 others."""
    generator = np.random.default_rng(0)
    gender, ethnicity, age_bin = np.repeat(np.indices((2, 4, 8)).reshape(3, -1), 10, axis=1)
    test = make_faces(1 + 10 * age_bin + generator.integers(0, 10, 640), gender, ethnicity, "test")
    faces = make_faces(
        generator.integers(1, 81, 18_000),
        generator.integers(0, 2, 18_000),
        generator.choice(4, 18_000, p=PRIORS),
        "all",
    )
    return DataFacts(faces, faces.subset(np.arange(14_400)), faces.subset(np.arange(14_400, 18_000)), test)


def make_run(test, variant, seed):
    """Return a simulated network's run."""
    generator = np.random.default_rng([seed, *variant.encode()])
    faces = test.faces[["image_id", "age", "age_bin", "gender", "ethnicity"]]
    logits = generator.normal(size=(640, 4)) + np.log(PRIORS)
    logits[np.arange(640), faces["ethnicity"]] += 2
    probabilities = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    female = generator.random(640)
    ages = np.clip(faces["age"] + generator.normal(0, 12, 640), 1, 80)
    faces = faces.assign(
        predicted_age=ages.astype(np.float32),
        female_probability=female.astype(np.float32),
        predicted_gender=np.where(generator.random(640) < 0.85, faces["gender"], 1 - faces["gender"]).astype(np.int8),
        ethnicity_probabilities=list(probabilities.astype(np.float32)),
        predicted_ethnicity=probabilities.argmax(axis=1).astype(np.int8),
    )
    return Run(Predictions(faces, LABELS, variant, seed), {"class_priors": PRIORS.tolist()})


def loop_over_sklearn(predictions, counts):
    """Return three metrics of every resample, one call of scikit-learn at a time."""
    truth = predictions.faces[["age", "gender", "ethnicity"]].to_numpy(np.float64)
    predicted = predictions.faces[["predicted_age", "predicted_gender", "predicted_ethnicity"]].to_numpy(np.float64)
    replicates = [
        (
            mean_absolute_error(truth[:, 0], predicted[:, 0], sample_weight=row),
            accuracy_score(truth[:, 1], predicted[:, 1], sample_weight=row),
            f1_score(truth[:, 2], predicted[:, 2], average="macro", sample_weight=row),
        )
        for row in counts
    ]
    return np.array(replicates)


def main():
    """Print the seconds of each part."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variants", type=int, default=10)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--resamples", type=int, default=2000)
    options = parser.parse_args()
    data = make_data()
    names = ["baseline", *(f"variant_{place}" for place in range(1, options.variants))]
    runs = [make_run(data.test, name, seed) for name in names for seed in range(options.seeds)]
    settings = CompareSettings(resamples=options.resamples)

    started, started_cpu = time.perf_counter(), time.process_time()
    comparison = build_comparison(runs, data, settings)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    trained, posthoc = len(comparison["variants"]), len(comparison["posthoc"])
    print(  # noqa: T201 - a script run by hand
        f"whole comparison: {seconds:.2f} s, {cpu_seconds:.2f} s of CPU ({trained} variants, {posthoc} post-hoc rows, "
        f"{options.seeds} seeds, {options.resamples} resamples, {settings.permutations} permutations, "
        f"640 faces, {len(comparison['paired'])} tests)"
    )

    network = runs[0].predictions
    weighting = Weighting.bootstrap(network, options.resamples, 0)
    started = time.perf_counter()
    replicates, _ = weighting.metrics(network)
    vectorised = time.perf_counter() - started
    started = time.perf_counter()
    naive = loop_over_sklearn(network, weighting.counts)
    looped = time.perf_counter() - started
    columns = ("age_mae", "gender_accuracy", "ethnicity_macro_f1")
    largest = max(np.abs(naive[:, place] - replicates[name]).max() for place, name in enumerate(columns))
    low, high = percentile_interval(replicates["ethnicity_macro_f1"], 0.95)
    numbers = sum(values[0].size for values in replicates.values())
    print(  # noqa: T201
        f"one network: {vectorised:.3f} s for {numbers} numbers per resample, against {looped:.2f} s for 3 in a loop "
        f"over scikit-learn: {looped / vectorised:.0f} times faster; largest difference {largest:.1e}; "
        f"macro F1 interval {low:.3f} to {high:.3f}"
    )


if __name__ == "__main__":
    main()
