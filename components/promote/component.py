"""KFP interface of stage 9."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output


def promote(
    images: Input[Dataset],
    test: Input[Dataset],
    recommended: Input[Model],
    settings: dict,
    evaluate_settings: dict,
    promotion: Output[Artifact],
) -> None:
    """Score the recommended model against the champion on this test set, and promote it if the policy says so.

    Args:
        images: Image shards.
        test: The balanced test set.
        recommended: What the run recommends.
        settings: The `promotion` section of the settings.
        evaluate_settings: The `evaluate` section of the settings.
        promotion: The decision, its reason and its numbers.
    """
    from pathlib import Path

    from components.digests import require_unchanged, seal
    from components.imports import lasting_imports
    from components.logs import log_to_console

    with lasting_imports():
        from components.evaluate.settings import EvaluateSettings
        from components.promote.promote import promote as run
        from components.promote.serving import TestSetScorer
        from components.promote.settings import PromotionSettings
        from components.registries.registry import open_registry

    log_to_console()
    require_unchanged(images, test, recommended)
    section = PromotionSettings.from_parameter(settings)
    scorer = TestSetScorer(images.path, test.path, EvaluateSettings.from_parameter(evaluate_settings).batch_size)
    registry = open_registry(str(section.registry), section.name, section.vertex)
    record = run(registry, Path(recommended.path), scorer, section)
    record.write(promotion.path)
    promotion.metadata.update({"decision": record.decision, "case": record.case, "version": record.version or "none"})
    seal(promotion)
