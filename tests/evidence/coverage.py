"""How often intervals hold the truth, by simulation, for every kind of interval.

A recipe is simulated as a population of networks: each has its own skill in every output (the seed) and its own
opinion of every face. The truth is the mean over very many networks on very many faces; or, with ``--own``, that of the
very networks that were tested, which is all that intervals of one seed claim. ::

    python -m tests.evidence.coverage --per-cell 10 --seeds 3
    python -m tests.evidence.coverage --per-cell 10 --seeds 1 --own
    python -m tests.evidence.coverage --per-cell 10 --seeds 3 --ensemble
"""

import argparse
from collections import defaultdict
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pandas as pd

from components.dataset.labels import Labels
from components.evaluation.bootstrap import Weighting
from components.evaluation.predictions import Predictions
from components.evaluation.scoring import Scored, View, difference, score_ensemble, score_seeds

Answers = dict[str, npt.NDArray[np.float64]]
Skills = npt.NDArray[np.float64]
Score = Callable[[pd.DataFrame, list[Answers], str, int], Scored]
"""From faces, the answers of a row's networks, the row's name and a number of resamples to the row's scores."""

_LABELS = Labels()
_CELLS = _LABELS.cell_count
_SHARES = np.random.default_rng(1).dirichlet(np.ones(_CELLS))
_TRUTH_NETWORKS = 30
"""Networks that are simulated at once for the truth."""

_SEED_DEVIATION = 0.35
"""Of a network's signal, in standard deviations of its noise: macro F1 then moves by about .03 from seed to seed."""

_KINDS = {
    "age MAE": ("age_mae", View.OVERALL, None),
    "age error, 90th percentile": ("age_error_p90", View.OVERALL, None),
    "gender accuracy": ("gender_accuracy", View.OVERALL, None),
    "ethnicity macro F1": ("ethnicity_macro_f1", View.OVERALL, None),
    "recall of the weakest class": ("ethnicity_recall", View.OVERALL, 2),
    "saturated recall": ("ethnicity_recall", View.OVERALL, 0),
    "recall of one group": ("ethnicity_recall", View.BY_GROUP, 3),
    "worst group, recall": ("ethnicity_recall", View.WORST_GROUP, None),
    "worst group, age MAE": ("age_mae", View.WORST_GROUP, None),
    "gap between groups, recall": ("ethnicity_recall", View.GROUP_GAP, None),
    "natural population, accuracy": ("ethnicity_accuracy", View.NATURAL, None),
}
"""Every kind of interval: metric, view, and place where it has several values."""


def main() -> None:
    """Simulate, and print the coverage of each kind of interval and of its difference."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--per-cell", type=int, default=10, help="test faces of each cell")
    parser.add_argument("--seeds", type=int, default=3, help="networks of each row")
    parser.add_argument("--sets", type=int, default=300, help="test sets simulated")
    parser.add_argument("--own", action="store_true", help="the truth is that of the networks themselves")
    parser.add_argument("--ensemble", action="store_true", help="a row is one model that averages its networks")
    arguments = parser.parse_args()
    generator = np.random.default_rng(2)
    # Both rows are the same recipe: the true difference of everything is 0.
    score, size = (_score_ensemble, arguments.seeds) if arguments.ensemble else (_score, _TRUTH_NETWORKS)
    recipe, many = _truth(generator, score, size), _faces(600)
    covered: dict[str, list[bool]] = defaultdict(list)
    for _ in range(arguments.sets):
        faces = _faces(arguments.per_cell)
        skills = _skills(generator, 2 * arguments.seeds)
        rows = _pair(faces, _networks(generator, faces, skills), 400, score)
        many_rows = _pair(many, _networks(generator, many, skills), 4, score) if arguments.own else []
        own = [_means([row]) for row in many_rows]
        for kind, (metric, view, place) in _KINDS.items():
            apart = own[0][kind] - own[1][kind] if own else 0.0
            for name, estimate, true in (
                (kind, rows[0].estimate(metric, view), (own[0] if own else recipe)[kind]),
                (f"{kind}, difference", difference(*rows, metric, view), apart),
            ):
                low, high = (
                    float(np.asarray(end)[() if place is None else place]) for end in (estimate.low, estimate.high)
                )
                covered[name].append(low - 1e-12 <= true <= high + 1e-12)
    print(f"{arguments.per_cell} faces per cell, seeds: {arguments.seeds}, {arguments.sets} test sets, 95 % intervals")
    print(f"truth: of {'these networks' if arguments.own else 'the recipe'}, on very many faces")
    for name, hits in covered.items():
        error = 1.96 * np.sqrt(np.mean(hits) * (1 - np.mean(hits)) / len(hits))
        print(f"  {name:45s} {np.mean(hits):.3f} ± {error:.3f}")


def _faces(per_cell: int) -> pd.DataFrame:
    codes = np.repeat(np.indices(_LABELS.cell_shape).reshape(3, -1), per_cell, axis=1)
    return pd.DataFrame(
        {
            "image_id": [f"face-{place}" for place in range(codes.shape[1])],
            "age": (5 + 10 * codes[2]).astype(np.int16),
            "age_bin": codes[2].astype(np.int8),
            "gender": codes[0].astype(np.int8),
            "ethnicity": codes[1].astype(np.int8),
        }
    )


def _skills(generator: np.random.Generator, networks: int) -> Skills:
    """Return how much better or worse than the recipe each network is in every output, shape ``[networks, 3]``."""
    return generator.normal(0, _SEED_DEVIATION, (networks, 3))


def _networks(generator: np.random.Generator, faces: pd.DataFrame, skills: Skills) -> list[Answers]:
    """Return the answers of networks: a face's difficulty is shared by all, the rest is each network's own."""
    count = len(faces)
    hard = {"age": generator.normal(size=count), "gender": generator.normal(size=count)}
    shared = generator.normal(size=(count, 4))
    truth = faces["ethnicity"].to_numpy(np.int64)
    signals = np.array([6.0, 2.0, 1.2, 1.8])[truth]
    answers = []
    for skill in skills:
        logits = shared + generator.normal(size=(count, 4))
        logits[np.arange(count), truth] += signals * (1 + skill[0] / 2)
        gender = 1.4 + skill[1] + hard["gender"] + generator.normal(size=count)
        errors = 8 * np.exp(skill[2] / 2) * (hard["age"] + generator.normal(size=count)) / np.sqrt(2)
        right = gender > 0
        answers.append(
            {
                "age": np.clip(faces["age"] + errors, 1, 116),
                "gender": np.where(right == (faces["gender"] == 1), 0.9, 0.1),
                "ethnicity": np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True),
            }
        )
    return answers


def _pair(faces: pd.DataFrame, answers: list[Answers], resamples: int, score: Score) -> list[Scored]:
    """Return the scores of two rows that have half of the networks each."""
    half = len(answers) // 2
    return [
        score(faces, answers[:half], "ours", resamples),
        score(faces, answers[half:], "theirs", resamples),
    ]


def _score(faces: pd.DataFrame, answers: list[Answers], name: str, resamples: int) -> Scored:
    predictions = _predictions(faces, answers, name)
    observed = Weighting.observed(predictions[0])
    with Weighting.bootstrap(predictions[0], resamples, 7) as resampled:
        return score_seeds(predictions, observed, resampled, _SHARES, 0.95)


def _score_ensemble(faces: pd.DataFrame, answers: list[Answers], name: str, resamples: int) -> Scored:
    predictions = _predictions(faces, answers, name)
    observed = Weighting.observed(predictions[0])
    with Weighting.bootstrap(predictions[0], resamples, 7) as resampled:
        return score_ensemble(predictions, observed, resampled, _SHARES, 0.95, name)


def _predictions(faces: pd.DataFrame, answers: list[Answers], name: str) -> list[Predictions]:
    return [Predictions.from_scores(faces, _LABELS, scores, name, seed) for seed, scores in enumerate(answers, 1)]


def _truth(generator: np.random.Generator, score: Score, size: int) -> dict[str, float]:
    """Return the mean over 300 networks on 12,800 faces each, or over ensembles of as many of them."""
    faces, parts = _faces(200), []
    for _ in range(300 // _TRUTH_NETWORKS):
        answers = _networks(generator, faces, _skills(generator, _TRUTH_NETWORKS))
        parts += [score(faces, answers[start : start + size], "truth", 4) for start in range(0, _TRUTH_NETWORKS, size)]
    return _means(parts)


def _means(parts: list[Scored]) -> dict[str, float]:
    """Return every kind's mean over networks; the worst group and the gap are those of the means."""
    found = {}
    for kind, (metric, view, place) in _KINDS.items():
        source = View.BY_GROUP if view in (View.WORST_GROUP, View.GROUP_GAP) else view
        mean = np.mean([part.mean(metric, source) for part in parts], axis=0)
        extremes: dict[View, Callable[[npt.NDArray[np.float64]], float]] = {
            View.WORST_GROUP: np.max if metric == "age_mae" else np.min,
            View.GROUP_GAP: np.ptp,
        }
        value = extremes[view](mean) if view in extremes else np.asarray(mean)[() if place is None else place]
        found[kind] = float(value)
    return found


if __name__ == "__main__":
    main()
