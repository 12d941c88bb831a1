"""KFP interface of stage 7."""

from typing import List

from kfp.dsl import HTML, Artifact, Dataset, Input, Markdown, Model, Output


def compare(
    models: Input[List[Model]],
    predictions: Input[List[Dataset]],
    validation_predictions: Input[List[Dataset]],
    images: Input[Dataset],
    manifest: Input[Dataset],
    train: Input[Dataset],
    validation: Input[Dataset],
    test: Input[Dataset],
    rejects: Input[Dataset],
    preprocess_summary: Input[Artifact],
    test_set_summary: Input[Artifact],
    hyperparameters: Input[Artifact],
    trials: Input[Dataset],
    source: str,
    gates: Input[Artifact],
    runs: List[dict],
    settings: dict,
    comparison: Output[Artifact],
    report: Output[HTML],
    report_summary: Output[Markdown],
) -> None:
    """Put all runs side by side: numbers with intervals, paired tests, charts, a recommendation.

    Args:
        models: Every trained model.
        predictions: Every model's predictions on the test set, in the same order.
        validation_predictions: Every model's predictions on the validation faces, in the same order.
        images: The faces' images, of which a few are shown where the settings allow it.
        manifest: Every face.
        train: Training faces.
        validation: Validation faces.
        test: The balanced test set.
        rejects: Every input file that was not used.
        preprocess_summary: Counts and distributions of preprocess.
        test_set_summary: Faces per cell of the test set.
        hyperparameters: What tuning chose.
        trials: What tuning tried.
        source: Where the faces came from.
        gates: How the data compares with the champion's.
        runs: Variant and seed of every run requested.
        settings: The `compare` section of the settings.
        comparison: All facts, for machines.
        report: All facts, for people.
        report_summary: The results table.
    """
    from components.digests import require_unchanged, seal
    from components.imports import lasting_imports
    from components.logs import log_to_console

    with lasting_imports():
        from components.compare.compare import Inputs
        from components.compare.compare import compare as run
        from components.compare.settings import CompareSettings

    log_to_console()
    require_unchanged(*models, *predictions, *validation_predictions, images, manifest, train, validation, test)
    require_unchanged(rejects, preprocess_summary, test_set_summary, hyperparameters, trials, gates)
    inputs = Inputs(
        models=[(model.path, model.uri) for model in models],
        predictions=[table.path for table in predictions],
        validation_predictions=[table.path for table in validation_predictions],
        source=source,
        images=images.path,
        manifest=manifest.path,
        train=train.path,
        validation=validation.path,
        test=test.path,
        rejects=rejects.path,
        preprocess_summary=preprocess_summary.path,
        test_set_summary=test_set_summary.path,
        hyperparameters=hyperparameters.path,
        trials=trials.path,
        gates=gates.path,
    )
    section = CompareSettings.from_parameter(settings)
    recommended = run(inputs, runs, section, comparison.path, report.path, report_summary.path)
    comparison.metadata.update(recommended)
    seal(comparison, report, report_summary)
