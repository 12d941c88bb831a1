"""Package what the run recommends, and score the package once more."""

import logging
import math
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

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
from components.model.adjusting import export_adjusted
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
        if choice.variant is None or choice.model is None or choice.seed is None:
            _log.info("no model is packaged: %s", choice.standing)
        else:
            source, record = _find_network(model_paths, choice.model, choice.seed)
            _package(source, record, choice.adjustment, draft)
            row = comparison.rows[choice.variant]
            metrics = _measure(draft, images_path, Manifest.read(test_path), record, batch_size)
            _check(metrics, choice.variant, row, record.seed)
            network = PackagedNetwork(
                row=choice.variant,
                title=row.title,
                variant=record.variant,
                seed=record.seed,
                adjustment=choice.adjustment,
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
            _log.info("%s: %s, seed %d, packaged; %s", choice.standing, choice.variant, record.seed, shown)
        facts.write(draft)
        if comparison.dataset.preprocess.profile is not None:
            comparison.dataset.preprocess.profile.write(draft / PROFILE_FILE)
        write_digests(draft)
    return facts


def _find_network(paths: Sequence[str], variant: str, seed: int) -> tuple[Path, TrainingRecord]:
    for path in paths:
        record = TrainingRecord.read(path)
        if (record.variant, record.seed) == (variant, seed):
            return Path(path), record
    raise ArtifactError(
        f"The comparison recommends the network of {variant} with seed {seed}, which is not among the "
        f"{len(paths)} models",
        remedy="run compare again on these models",
    )


def _package(source: Path, record: TrainingRecord, adjustment: Adjustment | None, draft: Path) -> None:
    """Put a network into a directory, with its adjustment in the graph, and the record of its training beside it."""
    if adjustment is None:
        # The very files that were evaluated.
        shutil.copytree(source, draft, copy_function=shutil.copyfile, dirs_exist_ok=True)
        return
    priors = [adjustment.class_priors[name] for name in record.labels.names(FOCUS.name)]
    export_adjusted(source, FOCUS, priors, adjustment.tau, adjustment.temperature, draft)
    for name in (VARIANT_FILE, HISTORY_FILE):
        shutil.copyfile(source / name, draft / name)


def _measure(
    model: Path, images_path: str, test: Manifest, record: TrainingRecord, batch_size: int
) -> dict[str, Number]:
    """Score a model on the test set through its serving signature."""
    served = ServedModel(model).predict(read_encoded(images_path, test), batch_size)
    overall = score(Predictions.from_scores(test.faces, test.labels, served, record.variant, record.seed)).overall
    values = {name: float(overall[name]) for name in switched_on(SCALARS, test.labels)}
    # As in the comparison: six decimals, and None for what is undefined.
    return {name: round(value, 6) if math.isfinite(value) else None for name, value in values.items()}


def _check(metrics: Mapping[str, Number], name: str, row: Row, seed: int) -> None:
    """Refuse a package that does not do what its row says."""
    for metric in (SCALARS[name] for name in metrics):
        found, stated = metrics[metric.name], row.scalar(metric).by_seed.get(str(seed))
        if found is None and stated is None:
            continue
        if found is None or stated is None or abs(found - stated) > _TOLERANCE:
            raise ArtifactError(
                f"The packaged model has {metric.phrase} {found} on the test set, but the comparison's row {name} has "
                f"{stated} with seed {seed}",
                remedy="run evaluate and compare again, on machines of the same kind as this one",
            )
