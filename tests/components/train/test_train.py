import json
from pathlib import Path

import pandas as pd
import pytest

from components.errors import ArtifactError
from components.evaluate.evaluate import evaluate
from components.evaluate.settings import EvaluateSettings
from components.evaluation.predictions import Predictions
from components.model.settings import ModelSettings
from components.train.train import read_hyperparameters, train
from components.training.recipe import Recipe
from components.training.record import TrainingRecord
from components.training.settings import TrainingSettings

RECIPE = Recipe(
    model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9, age_target="years"),
    training=TrainingSettings(epochs=2, batch_size=32, precision="float32"),
)


def with_settings(**changes):
    return RECIPE.training.model_copy(update=changes)


def write_searches(path, *variants):
    search = {"values": {"dense_units": 8}, "source": "a test", "trials": 0}
    path.write_text(json.dumps({variant: {"variant": variant, **search} for variant in variants}))
    return str(path)


@pytest.fixture(scope="module")
def trained_twice(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    hyperparameters = write_searches(folder / "hyperparameters.json", "baseline")
    # How the work is done must not show in what comes out.
    other_way = {"steps_per_execution": 4, "decoded_memory_share": 0, "tensorboard": str(folder / "logs")}
    recipes = {"first": RECIPE, "second": RECIPE.model_copy(update={"training": with_settings(**other_way)})}
    results = []
    for attempt, recipe in recipes.items():
        model, predictions = str(folder / attempt), str(folder / f"{attempt}.parquet")
        train(
            images_path=small_data.images,
            train_path=small_data.train,
            validation_path=small_data.validation,
            hyperparameters_path=hyperparameters,
            variant="drw",
            seed=7,
            recipe=recipe,
            state_path=str(folder / "state"),
            model_path=model,
        )
        assert not list((folder / "state").rglob("*.npz")), "what is finished is no longer kept"
        evaluate(
            small_data.images, small_data.validation, small_data.test, model, EvaluateSettings(), predictions,
            f"{predictions}-validation",
        )  # fmt: skip
        results.append((model, Predictions.read(predictions)))
    return results


def test_the_same_seed_gives_the_same_predictions_with_images_in_memory_or_decoded_for_every_batch(trained_twice):
    (_, first), (_, second) = trained_twice
    pd.testing.assert_frame_equal(first.faces, second.faces)


def test_tensorboards_logs_are_written_where_the_settings_say(trained_twice):
    logs = Path(TrainingRecord.read(trained_twice[1][0]).recipe.training.tensorboard)
    assert {path.parent.relative_to(logs) for path in logs.rglob("events.out.*")} == {
        Path("drw/7/train"),
        Path("drw/7/validation"),
    }


def test_a_cure_with_deferred_weights_trains_to_the_end_and_keeps_the_last_epoch(trained_twice):
    record = TrainingRecord.read(trained_twice[0][0])
    assert (record.epochs_run, record.best_epoch) == (2, 2)


def test_the_record_says_how_the_model_was_made(trained_twice):
    record = TrainingRecord.read(trained_twice[0][0])
    assert (record.variant, record.seed, record.recipe) == ("drw", 7, RECIPE)
    assert record.cures == {"age": (), "gender": (), "ethnicity": ("drw",), "resampling": ()}
    assert record.hyperparameters.dense_units == 8
    assert sum(record.statistics.counts["ethnicity"].values()) == record.train_faces


def test_ages_are_in_years_whatever_the_head_predicts(trained_twice):
    ages = trained_twice[0][1].faces["predicted_age"]
    assert ages.between(0, 80).all()
    assert ages.mean() > 5


def test_hyperparameters_of_an_untuned_variant_are_an_error_when_others_were_tuned(tmp_path):
    path = write_searches(tmp_path / "hyperparameters.json", "baseline", "ins")
    assert read_hyperparameters(path, "ins").dense_units == 8
    with pytest.raises(ArtifactError, match="set tune.scope to 'baseline'"):
        read_hyperparameters(path, "downsample")
