"""Package what the run recommends, and score the package once more."""

import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from components.compare.contract import Adjustment, Comparison, Number, Row
from components.dataset.images import read_encoded
from components.dataset.manifest import Manifest
from components.dataset.outputs import FOCUS
from components.dataset.profile import PROFILE_FILE
from components.digests import compute_digests, write_digests
from components.errors import ArtifactError
from components.evaluation.catalogue import MAIN, SCALARS, switched_on
from components.evaluation.frame import score
from components.evaluation.predictions import Predictions
from components.files import atomic_path
from components.model.combining import PosthocAdjustment, export_combined
from components.model.serving import ServedModel
from components.recommend.card import CARD_FILE, render_card
from components.recommend.contract import PackagedNetwork, RecommendedModel
from components.training.record import HISTORY_FILE, VARIANT_FILE, TrainingRecord

_log = logging.getLogger(__name__)

_TOLERANCE = 1e-4
"""Largest difference to the comparison, in a share or in years, that rounding explains: one face in 10,000 that is
decided otherwise makes as much."""


def recommend(
    *,
    images_path: str,
    test_path: str,
    model_paths: Sequence[str],
    comparison_path: str,
    batch_size: int,
    recommended_path: str,
    made_from: Mapping[str, str] | None = None,
) -> RecommendedModel:
    """Package what the comparison recommends as one model, and return what ``recommended.json`` holds.

    Args:
        images_path: Directory of image shards.
        test_path: Manifest of the test set.
        model_paths: SavedModel directories with ``variant.json``, the recommended network's among them.
        comparison_path: What compare wrote.
        batch_size: Images per call of the model, as in evaluate.
        recommended_path: Directory to write.
        made_from: ``source_fingerprint``, ``settings_digest`` and ``code``, for the record.

    Raises:
        ArtifactError: If the recommended network is not among the models, or if the package's numbers on the test set
            differ from those of its row. Nothing is written then.
    """
    comparison = Comparison.read(comparison_path)
    choice = comparison.recommended
    facts = RecommendedModel(
        standing=choice.standing,
        because=choice.because,
        fingerprint=comparison.dataset.fingerprint,
        labels=comparison.dataset.labels,
        network=None,
        **(made_from or {}),
    )
    with atomic_path(recommended_path) as draft:
        draft.mkdir()
        if choice.variant is None or choice.model is None:
            _log.info("no model is packaged: %s", choice.standing)
        else:
            members = choice.members or {str(choice.seed): choice.adjustment}
            networks = [_find_network(model_paths, choice.model, int(seed)) for seed in members]
            _package(networks, list(members.values()), draft)
            record = networks[0].record
            row = comparison.rows[choice.variant]
            metrics = _measure(draft, images_path, Manifest.read(test_path), record, batch_size)
            _check(metrics, choice.variant, row, choice.seed)
            network = PackagedNetwork(
                row=choice.variant,
                title=row.title,
                variant=record.variant,
                seed=choice.seed,
                adjustment=choice.adjustment,
                members=choice.members,
                metrics=metrics,
                validation_metric=choice.rule.primary_metric,
                validation_scores=choice.validation_scores,
                image_size=record.recipe.model.image_size,
                files=compute_digests(draft),
            )
            facts = facts.model_copy(update={"network": network})
            (draft / CARD_FILE).write_text(render_card(comparison, record, network), encoding="utf-8")
            main = switched_on(MAIN, facts.labels).items()
            shown = ", ".join(f"{metric.phrase} {metrics[name]:.{metric.decimals}f}" for name, metric in main)
            seeds = f"seed{'s' if len(members) > 1 else ''} {', '.join(members)}"
            _log.info("%s: %s, %s, packaged; %s", choice.standing, choice.variant, seeds, shown)
        facts.write(draft)
        if comparison.dataset.preprocess.profile is not None:
            comparison.dataset.preprocess.profile.write(draft / PROFILE_FILE)
        write_digests(draft)
    return facts


class _Network(NamedTuple):
    """A trained network."""

    path: Path
    record: TrainingRecord


def _find_network(paths: Sequence[str], variant: str, seed: int) -> _Network:
    for path in paths:
        record = TrainingRecord.read(path)
        if (record.variant, record.seed) == (variant, seed):
            return _Network(Path(path), record)
    raise ArtifactError(
        f"The comparison recommends the network of {variant} with seed {seed}, which is not among the "
        f"{len(paths)} models",
        remedy="run compare again on these models",
    )


def _package(networks: Sequence[_Network], adjustments: Sequence[Adjustment | None], draft: Path) -> None:
    """Put networks into a directory as one model, their adjustments in the graph, and beside it how they were trained.

    The first network's record stands where that of a single one does, the others' in ``members/<seed>``.
    """
    [first, *others] = networks
    if not others and adjustments[0] is None:
        # The very files that were evaluated.
        shutil.copytree(first.path, draft, copy_function=shutil.copyfile, dirs_exist_ok=True)
        return
    parts = [
        (network.path, _adjustment(network.record, each)) for network, each in zip(networks, adjustments, strict=True)
    ]
    export_combined(parts, draft)
    for network in networks:
        folder = draft if network is first else draft / "members" / str(network.record.seed)
        folder.mkdir(parents=True, exist_ok=True)
        for name in (VARIANT_FILE, HISTORY_FILE):
            shutil.copyfile(network.path / name, folder / name)


def _adjustment(record: TrainingRecord, adjustment: Adjustment | None) -> PosthocAdjustment | None:
    if adjustment is None:
        return None
    priors = [adjustment.class_priors[name] for name in record.labels.names(FOCUS.name)]
    return PosthocAdjustment(FOCUS, priors, adjustment.tau, adjustment.temperature)


def _measure(
    model: Path, images_path: str, test: Manifest, record: TrainingRecord, batch_size: int
) -> dict[str, Number]:
    """Score a model on the test set through its serving signature."""
    served = ServedModel(model).predict(read_encoded(images_path, test), batch_size)
    overall = score(Predictions.from_scores(test.faces, test.labels, served, record.variant, record.seed)).overall
    values = {name: float(overall[name]) for name in switched_on(SCALARS, test.labels)}
    # As in the comparison: six decimals, and None for what is undefined.
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in values.items()}


def _check(metrics: Mapping[str, Number], name: str, row: Row, seed: int | None) -> None:
    """Refuse a package that does not do what its row says: with the seed, or of an ensemble the row itself."""
    for metric in (SCALARS[name] for name in metrics):
        scalar = row.scalar(metric)
        found, stated = metrics[metric.name], scalar.value if seed is None else scalar.by_seed.get(str(seed))
        if found is None and stated is None:
            continue
        if found is None or stated is None or abs(found - stated) > _TOLERANCE:
            where = "" if seed is None else f" with seed {seed}"
            raise ArtifactError(
                f"The packaged model has {metric.phrase} {found} on the test set, but the comparison's row {name} has "
                f"{stated}{where}",
                remedy="run evaluate and compare again, on machines of the same kind as this one",
            )
