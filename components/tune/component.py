"""KFP interface of stage 4: one search per tuned variant, and the fan-in of their results."""

from typing import List

from kfp.dsl import Artifact, Dataset, Input, Output


def tune(
    images: Input[Dataset],
    train: Input[Dataset],
    validation: Input[Dataset],
    variant: str,
    tuning: dict,
    model: dict,
    training: dict,
    augmentation: dict,
    imbalance: dict,
    state: str,
    hyperparameters: Output[Artifact],
    trials: Output[Dataset],
) -> None:
    """Search hyperparameters with Bayesian optimisation, or pass on those that are fixed.

    Args:
        images: Image shards.
        train: Training faces.
        validation: Validation faces.
        variant: Whose losses and weights the trials train with.
        tuning: The section `tuning`.
        model: The section `model`.
        training: The section `training`.
        augmentation: The section `augmentation`.
        imbalance: The section `imbalance`.
        state: Where an interrupted search is found again: a directory or gs:// URI, or empty.
        hyperparameters: The best trial's values.
        trials: One row per trial and epoch.
    """
    from components.imbalance.settings import ImbalanceSettings
    from components.logs import log_to_console
    from components.model.settings import ModelSettings
    from components.training.settings import AugmentationSettings, TrainingSettings
    from components.tune.settings import TuningSettings
    from components.tune.tune import tune as run

    log_to_console()
    facts = run(
        images.path,
        train.path,
        validation.path,
        variant,
        TuningSettings.from_parameter(tuning),
        ModelSettings.from_parameter(model),
        TrainingSettings.from_parameter(training),
        AugmentationSettings.from_parameter(augmentation),
        ImbalanceSettings.from_parameter(imbalance),
        state,
        hyperparameters.path,
        trials.path,
    )
    hyperparameters.metadata.update(facts)


def gather_hyperparameters(
    searches: Input[List[Artifact]],
    tables: Input[List[Dataset]],
    hyperparameters: Output[Artifact],
    trials: Output[Dataset],
) -> None:
    """Bring the searches of all tuned variants into one file: KFP can't pass a list on into a loop.

    Args:
        searches: The best values of each tuned variant.
        tables: The trials of each tuned variant.
        hyperparameters: All values, by variant.
        trials: All trials.
    """
    from components.tune.gather import gather_hyperparameters as run

    run([one.path for one in searches], [one.path for one in tables], hyperparameters.path, trials.path)
