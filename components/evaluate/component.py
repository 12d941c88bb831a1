"""KFP interface of stage 6."""

from kfp.dsl import ClassificationMetrics, Dataset, Input, Metrics, Model, Output


def evaluate(
    images: Input[Dataset],
    validation: Input[Dataset],
    test: Input[Dataset],
    model: Input[Model],
    settings: dict,
    predictions: Output[Dataset],
    validation_predictions: Output[Dataset],
    metrics: Output[Metrics],
    gender_metrics: Output[ClassificationMetrics],
    ethnicity_metrics: Output[ClassificationMetrics],
) -> None:
    """Score one served model on the balanced test set, and on the validation faces, on which the cure is chosen.

    Args:
        images: Image shards.
        validation: Validation faces.
        test: The balanced test set.
        model: A SavedModel with its `variant.json`.
        settings: The `evaluate` section of the settings.
        predictions: One row per test face: truth, prediction, class probabilities.
        validation_predictions: The same for the validation faces.
        metrics: Metrics that the KFP and Vertex UIs list.
        gender_metrics: Gender confusion matrix that they draw; empty where the gender is switched off.
        ethnicity_metrics: Ethnicity confusion matrix that they draw.
    """
    from components.digests import require_unchanged, seal
    from components.files import write_json
    from components.imports import lasting_imports
    from components.logs import log_to_console

    with lasting_imports():
        from components.evaluate.evaluate import evaluate as run
        from components.evaluate.settings import EvaluateSettings

    log_to_console()
    require_unchanged(images, validation, test, model)
    scores = run(
        images.path,
        validation.path,
        test.path,
        model.path,
        EvaluateSettings.from_parameter(settings),
        predictions.path,
        validation_predictions.path,
    )
    listed = scores.listed()
    for name, value in listed.items():
        metrics.log_metric(name, value)
    # KFP keeps metrics only as metadata; given a file too, the cache finds all of the stage's outputs.
    write_json(metrics.path, listed)
    made = scores.predictions
    for output, drawn in (("gender", gender_metrics), ("ethnicity", ethnicity_metrics)):
        if output not in made.labels.outputs:
            write_json(drawn.path, {})
            continue
        classes, counts = scores.confusion(output)
        drawn.log_confusion_matrix(classes, counts)
        write_json(drawn.path, {"classes": classes, "counts": counts})
    predictions.metadata.update({"variant": made.variant, "seed": made.seed, "faces": len(made)})
    validation_predictions.metadata.update({"variant": made.variant, "seed": made.seed})
    seal(predictions, validation_predictions)
