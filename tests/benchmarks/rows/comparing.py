"""Rows on the statistics of a report."""

import resource
from functools import partial

from tests.benchmarks.faces import Faces
from tests.benchmarks.harness import Turns
from tests.benchmarks.row import Row, faster, ours_at_most, share

_VARIANTS = ("baseline", "ins", "downsample")
_CELLS = 64
_MOST_MEMORY = 6_000_000_000
_LOOPED, _RESAMPLES = 20, 2_000


def our_comparison(faces: Faces, turns: Turns, tested: int) -> None:
    """Compare three simulated runs on about so many test faces, with the default settings."""
    from components.compare.comparison import build_comparison
    from components.compare.contract import RunPlace
    from components.compare.settings import CompareSettings
    from tests.components.simulation import PRIORS, simulate_dataset, simulate_predictions, simulate_run

    # A comparison that needs far more than it may fails at once, instead of taking the machine with it.
    resource.setrlimit(resource.RLIMIT_DATA, (_MOST_MEMORY, _MOST_MEMORY))
    networks = [simulate_predictions(name, 0, per_cell=-(-tested // _CELLS), priors=PRIORS) for name in _VARIANTS]
    data, runs = simulate_dataset(networks[0], faces=18_000), [simulate_run(network) for network in networks]
    places = [
        RunPlace(variant=run.record.variant, seed=run.record.seed, model="", predictions="", validation_predictions="")
        for run in runs
    ]
    for _ in turns:
        build_comparison(runs, data, CompareSettings(), expected=[], searches={}, places=places)


def our_bootstrap(faces: Faces, turns: Turns) -> None:
    """Compute every metric of every resample of one network's 640 test faces."""
    import numpy as np

    from components.evaluation.bootstrap import Weighting
    from components.evaluation.frame import MetricFrame
    from tests.components.simulation import PRIORS, simulate_predictions

    network = simulate_predictions(priors=PRIORS)
    turns.units = _RESAMPLES
    for _ in turns:
        with Weighting.bootstrap(network, _RESAMPLES, 0) as weighting:
            MetricFrame.joined(weighting.score(network, np.full(_CELLS, 1 / _CELLS)))


def sklearn_loop(faces: Faces, turns: Turns) -> None:
    """Compute three metrics of a few of the same resamples, one call of scikit-learn at a time.

    Raises:
        ValueError: If a metric differs from ours by more than rounding.
    """
    import numpy as np
    from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

    from components.evaluation.bootstrap import Weighting
    from components.evaluation.frame import MetricFrame
    from tests.components.simulation import PRIORS, simulate_predictions

    network = simulate_predictions(priors=PRIORS)
    with Weighting.bootstrap(network, _LOOPED, 0) as weighting:
        ours = MetricFrame.joined(weighting.score(network, np.full(_CELLS, 1 / _CELLS))).overall
        cells = np.repeat(np.arange(_CELLS), weighting.strata.sizes)
        drawn = np.concatenate([draws * weighting.worth[cells] for draws in weighting.draws])
    counted = np.empty_like(drawn)
    counted[:, weighting.strata.order] = drawn
    truth = network.faces[["age", "gender", "ethnicity"]].to_numpy(np.float64).T
    predicted = network.faces[["predicted_age", "predicted_gender", "predicted_ethnicity"]].to_numpy(np.float64).T
    turns.units = _LOOPED
    for _ in turns:
        for resample, counts in enumerate(counted):
            looped = {
                "age_mae": mean_absolute_error(truth[0], predicted[0], sample_weight=counts),
                "gender_accuracy": accuracy_score(truth[1], predicted[1], sample_weight=counts),
                "ethnicity_macro_f1": f1_score(truth[2], predicted[2], average="macro", sample_weight=counts),
            }
            for name, value in looped.items():
                if abs(value - ours[name][resample]) > 1e-9:
                    raise ValueError(f"{name} of resample {resample} is {ours[name][resample]}, scikit-learn's {value}")


ROWS = (
    Row(
        "comparison",
        "comparison of 3 runs, 30,000 test faces against 7,500",
        partial(our_comparison, tested=30_000),
        partial(our_comparison, tested=7_500),
        bars=(ours_at_most(15.0, "CPU"), ours_at_most(600.0, "memory"), share()),
        pairs=2,
        warm_up=0,
        fresh=True,
    ),
    Row(
        "comparison_100k",
        "the same, 100,000 test faces against 10,000",
        partial(our_comparison, tested=100_000),
        partial(our_comparison, tested=10_000),
        bars=(ours_at_most(1000.0, "memory"), share()),
        pairs=1,
        warm_up=0,
        fresh=True,
    ),
    Row(
        "bootstrap",
        "bootstrap of one network, against a loop over scikit-learn",
        our_bootstrap,
        sklearn_loop,
        bars=(faster(),),
        unit="resample",
    ),
)
