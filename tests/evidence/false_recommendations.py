"""A/A test of the recommendation: how often does the rule recommend a recipe over itself?

Networks of one recipe that differ by the seed alone are dealt at random to several names and seeds, as if each name
were a cure, and the rule is applied. Every recommendation of a name other than the reference is false. ::

    evenface run --output build/aa --set 'variants=[baseline]' --set 'seeds=[1, 2, …, 24]'
    python -m tests.evidence.false_recommendations build/aa --seeds 3 --names 5
"""

import argparse
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from components.compare.comparison import paired_facts
from components.compare.contract import Differences, Row
from components.compare.grounds import balanced_shares, find_grounds
from components.compare.measures import interval
from components.compare.recommendation import recommend
from components.compare.settings import CompareSettings
from components.dataset.manifest import Manifest
from components.dataset.outputs import OUTPUTS
from components.evaluation.bootstrap import Weighting
from components.evaluation.catalogue import GROUPED, MAIN
from components.evaluation.natural import natural_population
from components.evaluation.predictions import Predictions, align
from components.evaluation.scoring import Scored, View, difference, score_seeds

_RESAMPLES = 500


def main() -> None:
    """Deal the networks of a run, and print how often the rule was wrong."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="folder of a run of one variant with many seeds")
    parser.add_argument("--names", type=int, default=5, help="names to deal to, the reference among them")
    parser.add_argument("--seeds", type=int, default=3, help="networks of each name")
    parser.add_argument("--deals", type=int, default=400, help="times that the networks are dealt")
    parser.add_argument("--chosen-on", choices=("validation", "test"), default="validation")
    arguments = parser.parse_args()
    tested, validated = (_score_networks(arguments.run, part) for part in ("test", "validation"))
    settings = CompareSettings.model_validate(
        {
            "resamples": _RESAMPLES,
            "permutations": 999,
            "posthoc": {"enabled": False},
            "recommendation": {"chosen_on": arguments.chosen_on, "min_seeds": 1},
        }
    )
    values = [float(network.mean("ethnicity_macro_f1")) for network in tested]
    print(f"{len(tested)} networks of one recipe: macro F1 {min(values):.3f} to {max(values):.3f}")
    generator, outcomes = np.random.default_rng(0), Counter[str]()
    for _ in range(arguments.deals):
        dealt = generator.permutation(len(tested))[: arguments.names * arguments.seeds]
        places = dealt.reshape(arguments.names, arguments.seeds)
        outcomes[_outcome(places, tested, validated, settings)] += 1
    false = outcomes["recommended"] / arguments.deals
    error = 1.96 * math.sqrt(false * (1 - false) / arguments.deals)
    print(
        f"{arguments.names} names, {arguments.seeds} seeds, chosen on {arguments.chosen_on}: "
        f"{outcomes['recommended']} of {arguments.deals} recommendations false, {false:.1%} ± {error:.1%}"
    )


def _score_networks(run: Path, part: str) -> list[Scored]:
    """Return the scores of every network of a run's only variant on the test or the validation faces."""
    [folder] = (run / "predictions" / part).iterdir()
    predictions = align([Predictions.read(path) for path in sorted(folder.iterdir())])
    cells, labels = predictions[0].cells(), predictions[0].labels
    test_cells = Manifest.read(run / "data" / "test.parquet").cells()
    if part == "test":
        shares = natural_population(Manifest.read(run / "data" / "manifest.parquet"), cells).shares
    else:
        shares, _ = balanced_shares(cells, test_cells, labels.cell_count)
    observed = Weighting.observed(predictions[0])
    with Weighting.bootstrap(predictions[0], _RESAMPLES, 0) as resampled:
        return [score_seeds([each], observed, resampled, shares, 0.95) for each in predictions]


def _outcome(
    places: "np.typing.NDArray[np.int64]",
    tested: Sequence[Scored],
    validated: Sequence[Scored],
    settings: CompareSettings,
) -> str:
    """Apply the rule to networks that are dealt to names (rows) and seeds (columns)."""
    names = [settings.reference, *(f"again-{place}" for place in range(1, len(places)))]
    on_test, on_validation = (
        {name: _join(name, [scores[place] for place in row]) for name, row in zip(names, places, strict=True)}
        for scores in (tested, validated)
    )
    rows = {name: _row(scored, on_test[settings.reference]) for name, scored in on_test.items()}
    found = recommend(
        rows,
        paired_facts(on_test, settings),
        settings.reference,
        settings.recommendation,
        validation=find_grounds(on_validation, settings, View.NATURAL, 0.0),
        tested=find_grounds(on_test, settings, View.OVERALL, 0.0),
    )
    return "kept" if found.variant == settings.reference else "recommended"


def _join(name: str, networks: Sequence[Scored]) -> Scored:
    """Return the scores of a row whose seeds 1, 2, … are some networks."""
    firsts = {seed: network.seeds[0] for seed, network in enumerate(networks, 1)}

    def renumber(part: str) -> Mapping[int, object]:
        return {seed: getattr(networks[seed - 1], part)[first] for seed, first in firsts.items()}

    return Scored(
        renumber("predictions"),  # type: ignore[arg-type]
        renumber("estimates"),  # type: ignore[arg-type]
        renumber("replicates"),  # type: ignore[arg-type]
        networks[0].confidence,
        name,
    )


def _row(scored: Scored, reference: Scored) -> Row:
    """Return a row with what the rule reads of it, and no more."""
    differences = None
    if scored is not reference:
        differences = Differences.model_construct(
            **{metric: interval(difference(scored, reference, metric)) for metric in MAIN},
            ethnicity_recall={},
            natural={},
            worst_group={
                metric: interval(difference(scored, reference, metric, View.WORST_GROUP)) for metric in GROUPED
            },
        )
    scalars = {
        metric: {"by_seed": {str(seed): float(scored.mean(metric, seeds=[seed])) for seed in scored.seeds}}
        for metric in MAIN
    }
    return Row.model_construct(
        kind="trained",
        seeds=scored.seeds,
        derived_from=None,
        tau=None,
        learned=dict.fromkeys(OUTPUTS, True),
        difference_to_reference=differences,
        **{metric: interval(scored.estimate(metric)).model_copy(update=values) for metric, values in scalars.items()},
    )


if __name__ == "__main__":
    main()
