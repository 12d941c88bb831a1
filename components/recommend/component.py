"""KFP interface of stage 8."""

from typing import List

from kfp.dsl import Artifact, Dataset, Input, Model, Output


def recommend(
    images: Input[Dataset],
    test: Input[Dataset],
    models: Input[List[Model]],
    comparison: Input[Artifact],
    settings: dict,
    source_fingerprint: str,
    settings_digest: str,
    code: str,
    recommended: Output[Model],
) -> None:
    """Package the recommended model: one SavedModel that does by itself what its row says.

    Args:
        images: Image shards.
        test: The balanced test set, on which the package is scored once more.
        models: Every trained model.
        comparison: What compare says, with its recommendation.
        settings: The `evaluate` section of the settings.
        source_fingerprint: Identity of the source's content.
        settings_digest: Of the settings that determine the model.
        code: Identity of the code: the stages' image.
        recommended: SavedModel with `recommended.json`, `data_profile.json`, `model_card.md`, `variant.json` and
            `digests.json`; without a SavedModel where nothing can be shipped.
    """
    from components.digests import require_unchanged, seal
    from components.imports import lasting_imports
    from components.logs import log_to_console

    with lasting_imports():
        from components.evaluate.settings import EvaluateSettings
        from components.recommend.recommend import recommend as run

    log_to_console()
    require_unchanged(images, test, *models, comparison)
    facts = run(
        images_path=images.path,
        test_path=test.path,
        model_paths=[model.path for model in models],
        comparison_path=comparison.path,
        batch_size=EvaluateSettings.from_parameter(settings).batch_size,
        recommended_path=recommended.path,
        made_from={"source_fingerprint": source_fingerprint, "settings_digest": settings_digest, "code": code},
    )
    recommended.framework = "TensorFlow"
    recommended.metadata.update({"standing": facts.standing, "fingerprint": facts.fingerprint})
    if facts.network is not None:
        recommended.metadata.update(facts.network.model_dump(include={"row", "variant", "seed"}))
    seal(recommended)
