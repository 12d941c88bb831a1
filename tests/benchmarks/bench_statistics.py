"""Time the statistics of a large report, and compare the bootstrap with a loop over scikit-learn.

Run by hand: ``python -m tests.benchmarks.bench_statistics``. Not collected by pytest.
"""

import argparse
import time

import numpy as np
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from components.compare.comparison import build_comparison
from components.compare.contract import RunPlace
from components.compare.settings import CompareSettings
from components.evaluation.bootstrap import Weighting, percentile_interval
from components.imbalance.registry import VARIANTS
from tests.components.simulation import PRIORS, simulate_dataset, simulate_predictions, simulate_run


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
    names = list(VARIANTS)[: options.variants]
    networks = [simulate_predictions(name, seed, priors=PRIORS) for name in names for seed in range(options.seeds)]
    data, runs = simulate_dataset(networks[0], faces=18_000), [simulate_run(network) for network in networks]
    places = [RunPlace(variant=run.record.variant, seed=run.record.seed, model="", predictions="") for run in runs]
    settings = CompareSettings(resamples=options.resamples)

    started, started_cpu = time.perf_counter(), time.process_time()
    comparison = build_comparison(runs, data, settings, expected=[], searches={}, places=places)
    seconds, cpu_seconds = time.perf_counter() - started, time.process_time() - started_cpu
    trained, posthoc = len(comparison.variants), len(comparison.posthoc)
    print(  # noqa: T201 - a script run by hand
        f"whole comparison: {seconds:.2f} s, {cpu_seconds:.2f} s of CPU ({trained} variants, {posthoc} post-hoc rows, "
        f"{options.seeds} seeds, {options.resamples} resamples, {settings.permutations} permutations, "
        f"640 faces, {len(comparison.paired)} tests)"
    )

    network = runs[0].predictions
    weighting = Weighting.bootstrap(network, options.resamples, 0)
    started = time.perf_counter()
    replicates = weighting.score(network, np.full(64, 1 / 64)).overall
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
