"""KFP interface of stage 3."""

from kfp.dsl import Dataset, Input, Output


def split(pool: Input[Dataset], settings: dict, train: Output[Dataset], validation: Output[Dataset]) -> None:
    """Divide the pool into train and validation, stratified, never splitting a duplicate group.

    Args:
        pool: The faces outside the test set.
        settings: The settings section `split`.
        train: Training faces.
        validation: Validation faces.
    """
    from components.digests import require_unchanged, seal
    from components.logs import log_to_console
    from components.split.settings import SplitSettings
    from components.split.split import split as run

    log_to_console()
    require_unchanged(pool)
    facts = run(pool.path, SplitSettings.from_parameter(settings), train.path, validation.path)
    train.metadata.update(facts)
    seal(train, validation)
