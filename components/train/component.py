"""KFP interface of stage 5."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output


def train(
    images: Input[Dataset],
    train: Input[Dataset],
    validation: Input[Dataset],
    hyperparameters: Input[Artifact],
    variant: str,
    seed: int,
    recipe: dict,
    state: str,
    model: Output[Model],
) -> None:
    """Train one variant with one seed and export it.

    Args:
        images: Image shards.
        train: Training faces.
        validation: Validation faces.
        hyperparameters: What tuning chose.
        variant: A name in the registry of variants.
        seed: Seed of the weights, order of faces, dropout and augmentation.
        recipe: The sections `model`, `training`, `augmentation` and `imbalance` of the settings.
        state: Directory or gs:// URI where an unfinished training is kept, so that it can go on; empty to keep none.
        model: SavedModel with `variant.json` and the training history.
    """
    from components.digests import require_unchanged, seal
    from components.imports import lasting_imports
    from components.logs import log_to_console

    with lasting_imports():
        from components.train.train import train as run
        from components.training.recipe import Recipe

    log_to_console()
    require_unchanged(images, train, validation, hyperparameters)
    record = run(
        images_path=images.path,
        train_path=train.path,
        validation_path=validation.path,
        hyperparameters_path=hyperparameters.path,
        variant=variant,
        seed=seed,
        recipe=Recipe.from_parameter(recipe),
        state_path=state,
        model_path=model.path,
    )
    model.framework = "TensorFlow"
    model.metadata.update(record.model_dump(include={"variant", "seed", "epochs_run", "train_seconds"}))
    seal(model)
