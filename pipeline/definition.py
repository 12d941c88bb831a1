"""The one pipeline, for every platform."""

from collections.abc import Callable
from typing import Any, List, NamedTuple  # noqa: UP035 - KFP knows lists of dicts only by this name

from kfp import dsl

from components.build_test_set.component import build_test_set
from components.compare.component import compare
from components.evaluate.component import evaluate
from components.gates.component import gates, look_for_news
from components.preprocess.component import merge_parts, preprocess, read_part
from components.promote.component import promote
from components.recommend.component import recommend
from components.section import Section
from components.split.component import split
from components.track.component import track
from components.train.component import train
from components.tune.component import gather_hyperparameters, tune
from pipeline.settings import Settings

_ACTING = (promote, track)
"""Stages that change something outside the run: having done so once is no reason not to do it."""

Configure = Callable[[dsl.PipelineTask, str], None]
"""Gives a task its platform's resources; called with the task and its stage's name."""


class Outputs(NamedTuple):
    """What a run leaves, besides its models."""

    comparison: dsl.Artifact
    report: dsl.HTML
    report_summary: dsl.Markdown
    recommended: dsl.Model
    manifest: dsl.Dataset
    rejects: dsl.Dataset
    test: dsl.Dataset
    pool: dsl.Dataset
    train: dsl.Dataset
    validation: dsl.Dataset
    trials: dsl.Dataset
    hyperparameters: dsl.Artifact
    preprocess_summary: dsl.Artifact
    test_set_summary: dsl.Artifact


def _outputs_type(**optional: bool) -> Any:
    """Return the outputs' type, with those of the optional stages that there are."""
    fields = [*Outputs.__annotations__.items(), *((name, dsl.Artifact) for name, there in optional.items() if there)]
    return NamedTuple("AllOutputs", fields)


_STAGE_SECTIONS = (
    "preprocess",
    "gates",
    "build_test_set",
    "split",
    "tune",
    "recipe",
    "evaluate",
    "compare",
    "promotion",
    "tracking",
)
"""Settings that the stages are given."""


def sections_of(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return every section of the settings as a stage is given it, by name.

    They are values, not references: a compiled pipeline stands alone.
    """
    sections = {**dict(settings), "recipe": settings.recipe}
    return {name: section.to_parameter() for name, section in sections.items() if isinstance(section, Section)}


def build_pipeline(
    settings: Settings, image: str, configure: Configure = lambda task, stage: None, *, scheduled: bool = False
) -> Any:
    """Build the pipeline, with the settings as the defaults of its parameters.

    Args:
        settings: What every stage is told, unless a parameter overrides it at submission.
        image: Container image of every stage, preferably with its digest.
        configure: Gives each task its platform's resources.
        scheduled: Put a first step before it that takes the source's fingerprint, and ends the run as a success where
            nothing is new since the champion was made.

    Returns:
        A KFP pipeline: compile it, or call it to run it locally.
    """

    def outputs_of(stage: Callable[..., Any], title: str, **arguments: Any) -> dict[str, Any]:
        outputs: dict[str, Any] = task_of(stage, title, **arguments).outputs
        return outputs

    def task_of(stage: Callable[..., Any], title: str, **arguments: Any) -> dsl.PipelineTask:
        component = dsl.component(stage, base_image=image, install_kfp_package=False)
        task = component(**arguments).set_display_name(title)
        configure(task, stage.__name__)
        if stage in _ACTING:
            task.set_caching_options(False)
        return task

    default = sections_of(settings)
    promotes, tracks = settings.promotion.registry is not None, settings.tracking.mlflow_uri is not None
    outputs_type = _outputs_type(promotion=promotes, tracking=tracks)

    part_count, at_once = settings.preprocess.parts, settings.platform.parallelism

    @dsl.pipeline(
        name="evenface", description="Train one face model with several cures for imbalance and compare them."
    )
    def evenface(
        source: str = settings.source or "",
        source_fingerprint: str = "",
        state: str = "",
        reference: dict = {},  # noqa: B006
        runs: List[dict] = settings.runs(),  # noqa: B008, UP006 - KFP reads defaults and never changes them
        tuned_variants: List[str] = settings.tuned_variants(),  # noqa: B008, UP006
        preprocess_settings: dict = default["preprocess"],
        gates_settings: dict = default["gates"],
        build_test_set_settings: dict = default["build_test_set"],
        split_settings: dict = default["split"],
        tune_settings: dict = default["tune"],
        recipe_settings: dict = default["recipe"],
        evaluate_settings: dict = default["evaluate"],
        compare_settings: dict = default["compare"],
        promotion_settings: dict = default["promotion"],
        tracking_settings: dict = default["tracking"],
    ) -> outputs_type:  # type: ignore[valid-type]
        """Train one face model with several cures for class imbalance and say which one to ship.

        1. Preprocess: read the source, verify, label, drop, undersample and pack the faces; where the settings ask
           for parts, read and verify them in parallel, then merge them. Compare the data with the champion's, and
           stop where a gate says so.
        2. Build the test set: the same number of faces in every gender x ethnicity x age-bin cell.
        3. Split what remains into training and validation faces, keeping copies of a face together.
        4. Tune: search the hyperparameters of each variant to be tuned; gather the results.
        5. Train each variant with each seed, in parallel.
        6. Evaluate each model, as served, on the test set and on the validation faces.
        7. Compare all runs: intervals, tests, report, and a choice on validation confirmed on the test set.
        8. Package the recommended model: one network that does by itself what its row says, and its model card.
        9. Where there is a registry, score the recommended model against its champion and promote it if it is better.
        10. Where there is an MLflow server, track every training there.

        Args:
            source: Folder, archive or table, gs:// URI of one of these, or "synthetic".
            source_fingerprint: Identity of the source's content, so that caches hit when the data is the same.
            state: Directory or gs:// URI where unfinished searches and trainings are kept, to go on from; empty
                to keep none.
            reference: Profile of the champion's data, which the gates compare with; empty if there is no champion.
            runs: One {variant, seed} for each model to train.
            tuned_variants: Variants whose hyperparameters are searched.
            preprocess_settings: Section `preprocess`.
            gates_settings: Section `gates`.
            build_test_set_settings: Section `build_test_set`.
            split_settings: Section `split`.
            tune_settings: Section `tune`.
            recipe_settings: Sections `model`, `training`, `augmentation` and `imbalance`.
            evaluate_settings: Section `evaluate`.
            compare_settings: Section `compare`.
            promotion_settings: Section `promotion`.
            tracking_settings: Section `tracking`.
        """
        origin: dict[str, Any] = {
            "source": source,
            "source_fingerprint": source_fingerprint,
            "settings": preprocess_settings,
        }
        if part_count == 1:
            faces = outputs_of(preprocess, "Preprocess faces", **origin)
        else:
            with dsl.ParallelFor(list(range(part_count)), name="read-parts", parallelism=at_once) as part:
                read = outputs_of(read_part, "Read a part of the source", part=part, parts=part_count, **origin)
            faces = outputs_of(merge_parts, "Preprocess faces", parts=dsl.Collected(read["faces"]), **origin)
        checked = task_of(
            gates,
            "Compare the data with the champion's",
            summary=faces["summary"],
            reference=reference,
            settings=gates_settings,
        )
        drawn = task_of(
            build_test_set, "Build balanced test set", manifest=faces["manifest"], settings=build_test_set_settings
        )
        balanced = drawn.after(checked).outputs
        parts = outputs_of(split, "Split train and validation", pool=balanced["pool"], settings=split_settings)
        training_inputs = {"images": faces["images"], **parts, "recipe": recipe_settings}
        with dsl.ParallelFor(tuned_variants, name="tune-variants", parallelism=at_once) as variant:
            search = outputs_of(
                tune, "Tune hyperparameters", variant=variant, settings=tune_settings, state=state, **training_inputs
            )
        tuned = outputs_of(
            gather_hyperparameters,
            "Gather hyperparameters",
            searches=dsl.Collected(search["hyperparameters"]),
            tables=dsl.Collected(search["trials"]),
        )
        with dsl.ParallelFor(runs, name="train-variants", parallelism=at_once) as run:
            trained = outputs_of(
                train,
                "Train one variant",
                hyperparameters=tuned["hyperparameters"],
                variant=run.variant,
                seed=run.seed,
                state=state,
                **training_inputs,
            )
            scored = outputs_of(
                evaluate,
                "Evaluate on the test set",
                images=faces["images"],
                validation=parts["validation"],
                test=balanced["test"],
                model=trained["model"],
                settings=evaluate_settings,
            )
        compared = outputs_of(
            compare,
            "Compare the variants",
            models=dsl.Collected(trained["model"]),
            predictions=dsl.Collected(scored["predictions"]),
            validation_predictions=dsl.Collected(scored["validation_predictions"]),
            images=faces["images"],
            manifest=faces["manifest"],
            **parts,
            test=balanced["test"],
            rejects=faces["rejects"],
            preprocess_summary=faces["summary"],
            test_set_summary=balanced["summary"],
            **tuned,
            source=source,
            gates=checked.outputs["findings"],
            runs=runs,
            settings=compare_settings,
        )
        packaged = outputs_of(
            recommend,
            "Package the recommended model",
            images=faces["images"],
            test=balanced["test"],
            models=dsl.Collected(trained["model"]),
            comparison=compared["comparison"],
            settings=evaluate_settings,
            source_fingerprint=source_fingerprint,
            settings_digest=settings.digest(),
            code=image,
        )
        last: dict[str, Any] = {}
        if promotes:
            last |= outputs_of(
                promote,
                "Promote the recommended model",
                images=faces["images"],
                test=balanced["test"],
                recommended=packaged["recommended"],
                settings=promotion_settings,
                evaluate_settings=evaluate_settings,
            )
        if tracks:
            last |= outputs_of(
                track,
                "Track the trainings",
                models=dsl.Collected(trained["model"]),
                comparison=compared["comparison"],
                report=compared["report"],
                source=source,
                run_name=dsl.PIPELINE_JOB_NAME_PLACEHOLDER,
                settings=tracking_settings,
            )
        return outputs_type(  # type: ignore[no-any-return] # a NamedTuple with fields of its own
            **last,
            comparison=compared["comparison"],
            report=compared["report"],
            report_summary=compared["report_summary"],
            **packaged,
            manifest=faces["manifest"],
            rejects=faces["rejects"],
            test=balanced["test"],
            pool=balanced["pool"],
            **parts,
            **tuned,
            preprocess_summary=faces["summary"],
            test_set_summary=balanced["summary"],
        )

    if not scheduled:
        return evenface

    @dsl.pipeline(
        name="evenface", description="Where anything is new, train one face model with several cures and compare them."
    )
    def retraining(
        source: str = settings.source or "",
        state: str = "",
        champion: str = settings.gates.reference or "",
        force: bool = settings.retrain.force,
    ) -> None:
        """Look for news since the champion was made, and where there are any, do all that a run does.

        Args:
            source: Folder, archive, gs:// URI of either, or "synthetic".
            state: Directory or gs:// URI where unfinished searches and trainings are kept; empty to keep none.
            champion: The champion's folder, which the stages must be able to read; empty for that of the registry,
                if there is one.
            force: Train even if nothing is new.
        """
        looked = task_of(
            look_for_news,
            "Look for news",
            source=source,
            table=settings.preprocess.columns.to_parameter(),
            champion=champion,
            settings_digest=settings.digest(),
            code=image,
            force=force,
            promotion=default["promotion"],
        )
        # The cache would repeat what the source held when it was looked at first.
        news = looked.set_caching_options(False).outputs
        with dsl.If(news["Output"] == "train", name="if-anything-is-new"):
            evenface(
                source=source,
                source_fingerprint=news["source_fingerprint"],
                state=state,
                reference=news["reference"],
                # Stated although they are the defaults: a pipeline inside another is shown with what it is given.
                runs=settings.runs(),
                tuned_variants=settings.tuned_variants(),
                **{f"{name}_settings": default[name] for name in _STAGE_SECTIONS},
            )

    return retraining
