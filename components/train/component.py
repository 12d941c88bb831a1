"""KFP interface of stage 5."""

from kfp.dsl import Artifact, Dataset, Input, Model, Output


def train(
    images: Input[Dataset],
    train: Input[Dataset],
    validation: Input[Dataset],
    hyperparameters: Input[Artifact],
    variant: str,
    seed: int,
    model_settings: dict,
    training: dict,
    augmentation: dict,
    imbalance: dict,
    model: Output[Model],
) -> None:
    """Train one variant with one seed and export it.

    Args:
        images: Image shards.
        train: Training faces.
        validation: Validation faces.
        hyperparameters: What tuning chose.
        variant: A name in the registry of variants.
        seed: Fixes weights, order, dropout and augmentation.
        model_settings: The section `model`.
        training: The section `training`.
        augmentation: The section `augmentation`.
        imbalance: The section `imbalance`.
        model: SavedModel with `variant.json` and the training history.
    """
    from components.imbalance.settings import ImbalanceSettings
    from components.logs import log_to_console
    from components.model.settings import ModelSettings
    from components.train.train import train as run
    from components.training.settings import AugmentationSettings, TrainingSettings

    log_to_console()
    about = run(
        images.path,
        train.path,
        validation.path,
        hyperparameters.path,
        variant,
        seed,
        ModelSettings.from_parameter(model_settings),
        TrainingSettings.from_parameter(training),
        AugmentationSettings.from_parameter(augmentation),
        ImbalanceSettings.from_parameter(imbalance),
        model.path,
    )
    model.framework = "TensorFlow"
    model.metadata.update({name: about[name] for name in ("variant", "seed", "epochs_run", "train_seconds")})
