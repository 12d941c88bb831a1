"""KFP interface of stage 4: one search per tuned variant, and the fan-in of their results."""

from typing import List

from kfp.dsl import Artifact, Dataset, Input, Output


def tune(
    images: Input[Dataset],
    train: Input[Dataset],
    validation: Input[Dataset],
    variant: str,
    settings: dict,
    recipe: dict,
    state: str,
    hyperparameters: Output[Artifact],
    trials: Output[Dataset],
) -> None:
    """Search hyperparameters with Bayesian optimisation, or pass on fixed values.

    Args:
        images: Image shards.
        train: Training faces.
        validation: Validation faces.
        variant: Variant whose losses and weights the trials use.
        settings: The `tune` section of the settings.
        recipe: The sections `model`, `training`, `augmentation` and `imbalance` of the settings.
        state: Directory or gs:// URI from which an interrupted search is resumed; empty for none.
        hyperparameters: The best trial's values.
        trials: One row per trial and epoch.
    """
    from components.digests import require_unchanged, seal
    from components.imports import lasting_imports
    from components.logs import log_to_console

    with lasting_imports():
        from components.training.recipe import Recipe
        from components.tune.settings import TuneSettings
        from components.tune.tune import tune as run

    log_to_console()
    require_unchanged(images, train, validation)
    facts = run(
        images_path=images.path,
        train_path=train.path,
        validation_path=validation.path,
        variant=variant,
        settings=TuneSettings.from_parameter(settings),
        recipe=Recipe.from_parameter(recipe),
        state_path=state,
        hyperparameters_path=hyperparameters.path,
        trials_path=trials.path,
    )
    hyperparameters.metadata.update(facts)
    seal(hyperparameters, trials)


def gather_hyperparameters(
    searches: Input[List[Artifact]],
    tables: Input[List[Dataset]],
    hyperparameters: Output[Artifact],
    trials: Output[Dataset],
) -> None:
    """Bring the searches of all tuned variants into one file: KFP can't pass a list of artifacts into a loop.

    Args:
        searches: The best values of each tuned variant.
        tables: The trials of each tuned variant.
        hyperparameters: All values, by variant.
        trials: All trials.
    """
    from components.digests import require_unchanged, seal
    from components.tune.gather import gather_hyperparameters as run

    require_unchanged(*searches, *tables)
    run(
        search_paths=[search.path for search in searches],
        table_paths=[table.path for table in tables],
        hyperparameters_path=hyperparameters.path,
        trials_path=trials.path,
    )
    seal(hyperparameters, trials)
