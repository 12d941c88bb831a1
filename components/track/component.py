"""KFP interface of stage 10."""

from typing import List

from kfp.dsl import HTML, Artifact, Input, Model, Output


def track(
    models: Input[List[Model]],
    comparison: Input[Artifact],
    report: Input[HTML],
    source: str,
    run_name: str,
    settings: dict,
    tracking: Output[Artifact],
) -> None:
    """Log each variant and seed as an MLflow run below one parent.

    Args:
        models: Every trained model.
        comparison: All facts, for machines.
        report: All facts, for people.
        source: The run's source.
        run_name: The pipeline's name of the run.
        settings: The `tracking` section of the settings.
        tracking: Which MLflow runs there are.
    """
    from components.digests import require_unchanged, seal
    from components.imports import lasting_imports
    from components.logs import log_to_console

    with lasting_imports():
        from components.track.settings import TrackingSettings
        from components.track.track import track as run

    log_to_console()
    require_unchanged(*models, comparison, report)
    record = run(
        comparison_path=comparison.path,
        report_path=report.path,
        model_paths=[model.path for model in models],
        source=source,
        run_name=run_name,
        settings=TrackingSettings.from_parameter(settings),
    )
    record.write(tracking.path)
    tracking.metadata.update({"experiment": record.experiment, "run_id": record.run_id or "none"})
    seal(tracking)
