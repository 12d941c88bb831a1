import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from components.dataset.manifest import Manifest
from components.errors import ArtifactError
from components.evaluate.evaluate import evaluate
from components.evaluate.settings import EvaluationSettings
from components.evaluation.predictions import Predictions
from components.imbalance.registry import find_variant
from components.imbalance.settings import ImbalanceSettings
from components.model.artifact import read_variant
from components.model.settings import Hyperparameters, ModelSettings
from components.train.train import read_hyperparameters, train
from components.training.batches import validation_batches
from components.training.fit import (
    build_compiled,
    first_deferred_epoch,
    fit_network,
    kept_epoch,
    load_training_data,
    seed_everything,
)
from components.training.settings import AugmentationSettings, TrainingSettings

MODEL = ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9, age_target="years")
TRAINING = TrainingSettings(epochs=2, batch_size=32)


@pytest.fixture(scope="module")
def trained_twice(small_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp("trained")
    hyperparameters = folder / "hyperparameters.json"
    hyperparameters.write_text(json.dumps({"baseline": {"variant": "baseline", "values": {"dense_units": 8}}}))
    results = []
    for attempt in ("first", "second"):
        model, predictions = str(folder / attempt), str(folder / f"{attempt}.parquet")
        paths = (small_data.images, small_data.train, small_data.validation, str(hyperparameters))
        train(*paths, "drw", 7, MODEL, TRAINING, AugmentationSettings(), ImbalanceSettings(), model)
        evaluate(small_data.images, small_data.test, model, EvaluationSettings(), predictions)
        results.append((model, Predictions.read(predictions)))
    return results


def test_the_same_seed_gives_the_same_predictions(trained_twice):
    (_, first), (_, second) = trained_twice
    pd.testing.assert_frame_equal(first.faces, second.faces)


def test_a_cure_with_deferred_weights_trains_to_the_end_and_keeps_the_last_epoch(trained_twice):
    about = read_variant(trained_twice[0][0])
    assert (about["epochs_run"], about["best_epoch"]) == (TRAINING.epochs, TRAINING.epochs)


@pytest.mark.parametrize("watched", ["loss", "score"])
def test_the_kept_epoch_is_the_best_of_what_is_watched(small_data, watched):
    training = TRAINING.model_copy(update={"epochs": 3, "patience": 3, "selection_metric": watched})
    seed_everything(3, deterministic=True)
    manifests = (Manifest.read(small_data.train), Manifest.read(small_data.validation))
    data = load_training_data(small_data.images, *manifests, find_variant("ins"), ImbalanceSettings(), MODEL, training)
    network = build_compiled(data, MODEL, training, Hyperparameters(learning_rate=0.02, dense_units=8))
    history = fit_network(network, data, training, AugmentationSettings(enabled=False), 3, []).history
    scores = np.array(history["val_age_mae"]) - history["val_gender_accuracy"] - history["val_ethnicity_macro_f1"]
    np.testing.assert_allclose(history["val_score"], scores)
    kept = int(np.argmin(history[f"val_{watched}"]))
    assert kept_epoch(history, data, training) == kept + 1
    again = network.evaluate(validation_batches(data.validation, 32), return_dict=True, verbose=0)
    assert again["loss"] == pytest.approx(history["val_loss"][kept], rel=1e-4)
    disagreeing = {"loss": [1, 1], "val_loss": [1.0, 2.0], "val_score": [2.0, 1.0]}
    assert kept_epoch(disagreeing, data, training) == {"loss": 1, "score": 2}[watched]


def test_ages_are_in_years_whatever_the_head_predicts(trained_twice):
    ages = trained_twice[0][1].faces["predicted_age"]
    assert ages.between(0, 80).all()
    assert ages.mean() > 5


def test_balanced_selection_weighs_every_cell_of_the_validation_faces_alike(small_data):
    train_faces, validation = Manifest.read(small_data.train), Manifest.read(small_data.validation)
    balanced = TRAINING.model_copy(update={"selection": "balanced"})
    arguments = (find_variant("baseline"), ImbalanceSettings(), MODEL, balanced)
    weights = load_training_data(small_data.images, train_faces, validation, *arguments).validation.weights["age"]
    cells = validation.cells()
    totals = np.bincount(cells, weights=weights)
    assert weights.mean() == pytest.approx(1)
    assert totals[np.unique(cells)] == pytest.approx(len(validation) / len(np.unique(cells)), rel=1e-5)


@pytest.mark.parametrize("variant", ["ins", "denseweight_lmf", "logit_adjusted", "ldam_drw", "cell_balanced"])
def test_labels_of_other_splits_move_no_weight_prior_density_or_margin(small_data, variant):
    train_faces, validation = Manifest.read(small_data.train), Manifest.read(small_data.validation)
    mislabelled = validation.faces.assign(gender=np.int8(0), ethnicity=np.int8(2), age=np.int16(80), age_bin=np.int8(7))
    settings = (find_variant(variant), ImbalanceSettings(), MODEL, TRAINING)
    before, after = (
        load_training_data(small_data.images, train_faces, faces, *settings)
        for faces in (validation, replace(validation, faces=mislabelled))
    )
    assert (after.validation.targets["ethnicity"] == 2).all()
    assert (before.validation.targets["ethnicity"] != 2).any()
    assert before.cure.statistics == after.cure.statistics
    assert before.initial_age == after.initial_age
    np.testing.assert_array_equal(before.cure.probabilities, after.cure.probabilities)
    for output, weights in before.train.weights.items():
        np.testing.assert_array_equal(weights, after.train.weights[output])
        assert before.cure.losses[output].get_config() == after.cure.losses[output].get_config()


def test_deferred_weights_start_with_the_last_fifth_of_the_epochs(small_data):
    train_faces, validation = Manifest.read(small_data.train), Manifest.read(small_data.validation)
    ten_epochs = TRAINING.model_copy(update={"epochs": 10})
    data = load_training_data(
        small_data.images, train_faces, validation, find_variant("drw"), ImbalanceSettings(), MODEL, ten_epochs
    )
    assert first_deferred_epoch(data, ten_epochs) == 8


def test_hyperparameters_of_an_untuned_variant_are_an_error_when_others_were_tuned(tmp_path):
    path = tmp_path / "hyperparameters.json"
    path.write_text(json.dumps({name: {"values": {"dense_units": 8}} for name in ("baseline", "ins")}))
    assert read_hyperparameters(str(path), "ins").dense_units == 8
    with pytest.raises(ArtifactError, match="set tuning.scope to 'baseline'"):
        read_hyperparameters(str(path), "downsample")
