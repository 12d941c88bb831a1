import errno
import json
import multiprocessing
import os
import random
import re
import signal
import sys
import time
import zipfile
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from google.cloud import storage

from components.errors import DataError
from components.model import network
from components.model.settings import Hyperparameters, ModelSettings
from components.training.checkpoint import Progress
from components.training.recipe import Recipe
from components.training.search import SearchResult
from components.training.selection import selection_metrics
from components.training.settings import AugmentationSettings, TrainingSettings
from components.tune import trial
from components.tune.gather import gather_hyperparameters
from components.tune.search import _Tuner
from components.tune.settings import SearchSpace, TuneSettings
from components.tune.tune import tune
from tests import object_storage

RECIPE = Recipe(
    model=ModelSettings(image_size=32, backbone_weights="none", batch_norm_momentum=0.9),
    training=TrainingSettings(epochs=1),
    augmentation=AugmentationSettings(enabled=False),
)
SEARCH = TuneSettings(initial_points=1, trials=2, epochs=1, space=SearchSpace(dense_units=(8, 16), dense_layers=(1,)))


def search(data, folder, settings=SEARCH, state=""):
    hyperparameters, trials = folder / "hyperparameters.json", folder / "trials.parquet"
    tune(
        images_path=data.images,
        train_path=data.train,
        validation_path=data.validation,
        variant="baseline",
        settings=settings,
        recipe=RECIPE,
        state_path=str(state),
        hyperparameters_path=str(hyperparameters),
        trials_path=str(trials),
    )
    return json.loads(hyperparameters.read_text()), pd.read_parquet(trials)


@pytest.fixture
def small_network(monkeypatch):
    """Replace the backbone by one that is built and traced in a moment."""

    def build(settings):
        images = keras.Input((settings.image_size, settings.image_size, 3))
        return keras.Model(images, keras.layers.GlobalAveragePooling2D()(images / 255.0))

    monkeypatch.setattr(network, "_build_backbone", build)


@pytest.fixture
def no_training(monkeypatch):
    """Let a trial be a network that is not trained: what is said of it follows from its random weights."""

    def build_compiled(*_):
        return keras.Sequential([keras.Input((8,)), keras.layers.Dense(8)])

    def fit_network(model, data, recipe, seed, callbacks, checkpoint):
        if checkpoint is not None:
            checkpoint.write(Progress.beginning(0, 0, {}))
        value = float(np.mean([np.abs(weights).mean() for weights in model.get_weights()]))
        model.history = keras.callbacks.History()
        model.history.history = {name: [value] for name in ("loss", "val_loss", *selection_metrics())}
        for callback in callbacks:
            callback.set_model(model)
            callback.on_epoch_end(0, {name: value for name, (value,) in model.history.history.items()})
        return model.history

    monkeypatch.setattr(trial, "build_compiled", build_compiled)
    monkeypatch.setattr(trial, "fit_network", fit_network)


@pytest.mark.parametrize("place", ["bucket", pytest.param("folder", marks=pytest.mark.long)])
def test_two_searches_with_one_key_at_once_leave_one_that_ends_as_if_alone(
    small_data, no_training, tmp_path, monkeypatch, place
):
    settings = SEARCH.model_copy(update={"trials": 5, "initial_points": 4})
    chosen, expected = search(small_data, tmp_path, settings)
    score = expected["val_age_mae"] - expected["val_gender_accuracy"] - expected["val_ethnicity_macro_f1"]
    assert chosen["values"]["learning_rate"] == pytest.approx(expected.loc[score.idxmin(), "learning_rate"])
    run_trial, on_trial_end = _Tuner.run_trial, _Tuner.on_trial_end

    def interrupted(state, **methods):
        with monkeypatch.context() as patch:
            for name, method in methods.items():
                patch.setattr(_Tuner, name, method)
            with pytest.raises(KeyboardInterrupt):
                search(small_data, tmp_path, settings, state)

    def killed_in_the_third(self, trial, *args, **kwargs):
        if trial.trial_id == "2":
            raise KeyboardInterrupt
        return run_trial(self, trial, *args, **kwargs)

    def killed_after_the_second_while_another_process_was_further(self, trial):
        if trial.trial_id == "1":
            generator = random.getstate()
            interrupted(state, run_trial=killed_in_the_third, on_trial_end=on_trial_end)
            random.setstate(generator)
        on_trial_end(self, trial)
        if trial.trial_id == "1":
            raise KeyboardInterrupt

    def watched(self, trial, *args, **kwargs):
        started.append(trial.trial_id)
        return run_trial(self, trial, *args, **kwargs)

    (tmp_path / "hyperparameters.json").unlink()
    with object_storage.serving("state") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
        state = "gs://state/below" if place == "bucket" else tmp_path / "state"
        interrupted(state, on_trial_end=killed_after_the_second_while_another_process_was_further)
        assert not (tmp_path / "hyperparameters.json").exists()
        started = []
        with monkeypatch.context() as patch:
            patch.setattr(_Tuner, "run_trial", watched)
            again, trials = search(small_data, tmp_path, settings, state)
        assert started == ["2", "3", "4"]
        assert again == chosen
        pd.testing.assert_frame_equal(trials, expected, check_exact=True)
        names = [f"/{blob.name}" for blob in storage.Client(project="evenface").list_blobs("state")]
    names += [str(path) for path in (tmp_path / "state").rglob("*") if path.is_file()]
    (kept,) = names
    assert re.search("/tune/[^/]+/search.zip$", kept)


def test_a_failed_trial_is_recorded_and_the_search_goes_on(small_data, small_network, tmp_path, monkeypatch):
    build = trial.build_compiled
    # KerasTuner builds one network before the first trial, to learn what is searched.
    bad = iter([None, "diverges", "runs out of memory", None, None, None, None])

    def build_badly(*args):
        how, built = next(bad), build(*args)
        if how == "diverges":
            built.set_weights([np.full_like(weights, np.nan) for weights in built.get_weights()])
        if how == "runs out of memory":
            raise tf.errors.ResourceExhaustedError(None, None, "OOM when allocating tensor\nwith shape[64]")
        return built

    monkeypatch.setattr(trial, "build_compiled", build_badly)
    chosen, trials = search(small_data, tmp_path, SEARCH.model_copy(update={"trials": 3, "epochs": 2}))
    assert chosen["source"].startswith("trial 3 of 3")
    table = trials[["trial", "epoch", "status"]].to_numpy().tolist()
    # A network that has diverged is not trained any further.
    assert table == [["1", 1, "failed"], ["2", 0, "failed"], ["3", 1, "completed"], ["3", 2, "completed"]]
    assert "not a number" in trials["reason"][0]
    assert trials["reason"][1] == "out of memory"
    assert trials["learning_rate"].notna().all()

    monkeypatch.setattr(trial, "build_compiled", lambda *args: next(bad) or (_ for _ in ()).throw(MemoryError()))
    bad = iter(["before the trials", None, None])
    with pytest.raises(DataError, match=r"All 2 trials of the search failed \(2 × out of memory\).*batch_size"):
        search(small_data, tmp_path)


@pytest.mark.parametrize(
    "full",
    [
        OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)),
        tf.errors.ResourceExhaustedError(None, None, "/tmp/part-00000; No space left on device"),  # noqa: S108 - a text
    ],
)
def test_a_full_disk_ends_the_search_and_fails_no_trial(small_data, no_training, tmp_path, monkeypatch, full):
    settings = SEARCH.model_copy(update={"initial_points": 2})

    def fit_network(*_):
        raise full

    with monkeypatch.context() as patch:
        patch.setattr(trial, "fit_network", fit_network)
        with pytest.raises(type(full), match="No space left"):
            search(small_data, tmp_path, settings, tmp_path / "state")
    _, trials = search(small_data, tmp_path, settings, tmp_path / "state")
    assert trials["status"].tolist() == ["completed", "completed"]


def start_search(*args):
    process = multiprocessing.get_context("spawn").Process(target=search, args=args)
    process.start()
    return process


def wait_for(condition):
    while not condition():
        time.sleep(0.1)


@pytest.mark.long
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_a_parallel_search_survives_a_killed_worker_and_a_killed_stage(small_data, tmp_path, caplog):
    settings, state = SEARCH.model_copy(update={"trials": 3, "parallel_trials": 2}), tmp_path / "state"
    stage = start_search(small_data, tmp_path, settings, state)

    def trials(status):
        texts = []
        for path in state.glob("tune/*/search.zip"):
            with zipfile.ZipFile(path) as kept:
                texts += [kept.read(name).decode() for name in kept.namelist() if name.startswith("trial_")]
        return [text for text in texts if f'"status": "{status}"' in text]

    wait_for(lambda: len(trials("RUNNING")) == 2)
    workers = [int(pid) for pid in Path(f"/proc/{stage.pid}/task/{stage.pid}/children").read_text().split()]
    workers = [pid for pid in workers if b"components.tune.worker" in Path(f"/proc/{pid}/cmdline").read_bytes()]
    assert len(workers) == 2
    os.kill(workers[0], signal.SIGKILL)
    wait_for(lambda: trials("COMPLETED"))
    assert len(trials("FAILED")) == 1
    stage.kill()
    stage.join()
    wait_for(lambda: not Path(f"/proc/{workers[1]}").exists())
    finished = len(trials("COMPLETED")) + len(trials("FAILED"))

    caplog.set_level("INFO")
    chosen, table = search(small_data, tmp_path, settings, state)
    assert f"resuming the search after {finished} of 3 trials" in caplog.text
    assert sorted(table["trial"].unique()) == ["1", "2", "3"]
    assert table["status"].value_counts().to_dict() == {"completed": 2, "failed": 1}
    assert table["reason"].dropna().str.contains("ended by signal 9").all()
    best = table[table["status"] == "completed"]
    score = best["val_age_mae"] - best["val_gender_accuracy"] - best["val_ethnicity_macro_f1"]
    assert chosen["source"].startswith(f"trial {best.loc[score.idxmin(), 'trial']} of 3")


def test_fixed_values_are_passed_on_without_a_search(small_data, tmp_path):
    fixed = Hyperparameters(learning_rate=0.002, dense_layers=2, dense_units=32, dropout=0.1)
    chosen, trials = search(small_data, tmp_path, TuneSettings(fixed=fixed))
    assert chosen == {
        "variant": "baseline",
        "values": fixed.model_dump(),
        "source": "fixed by the settings",
        "trials": 0,
    }
    assert len(trials) == 0


def test_gathering_keeps_every_variant_apart(tmp_path):
    searches, tables = [], []
    for variant in ("baseline", "ins"):
        search_path, table_path = tmp_path / f"{variant}.json", tmp_path / f"{variant}.parquet"
        SearchResult(variant=variant, values=Hyperparameters(), source="a test", trials=0).write(search_path)
        pd.DataFrame({"trial": ["1"], "epoch": [1]}).to_parquet(table_path)
        searches.append(str(search_path))
        tables.append(str(table_path))
    gather_hyperparameters(searches, tables, str(tmp_path / "all.json"), str(tmp_path / "all.parquet"))
    assert set(json.loads((tmp_path / "all.json").read_text())) == {"baseline", "ins"}
    assert pd.read_parquet(tmp_path / "all.parquet")["variant"].tolist() == ["baseline", "ins"]
