import json

import pandas as pd
import pytest

from components.model.settings import Hyperparameters, ModelSettings
from components.training.recipe import Recipe
from components.training.search import SearchResult
from components.training.settings import AugmentationSettings, TrainingSettings
from components.tune.gather import gather_hyperparameters
from components.tune.settings import SearchSpace, TuneSettings
from components.tune.tune import _Tuner, tune

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


def test_an_interrupted_search_resumes_where_it_stopped(small_data, tmp_path, monkeypatch):
    state, finished_trials = tmp_path / "state", []
    run_trial = _Tuner.run_trial

    def interrupted(self, trial, *args, **kwargs):
        if trial.trial_id != "0":
            raise KeyboardInterrupt
        finished_trials.append(trial.trial_id)
        return run_trial(self, trial, *args, **kwargs)

    monkeypatch.setattr(_Tuner, "run_trial", interrupted)
    with pytest.raises(KeyboardInterrupt):
        search(small_data, tmp_path, state=state)
    assert not (tmp_path / "hyperparameters.json").exists()

    def watched(self, trial, *args, **kwargs):
        finished_trials.append(trial.trial_id)
        return run_trial(self, trial, *args, **kwargs)

    monkeypatch.setattr(_Tuner, "run_trial", watched)
    chosen, trials = search(small_data, tmp_path, state=state)
    assert finished_trials == ["0", "1"]
    assert trials["trial"].tolist() == ["1", "2"]
    assert {"val_age_mae", "val_gender_accuracy", "val_ethnicity_macro_f1", "learning_rate"} <= set(trials.columns)
    best = trials.loc[
        (trials["val_age_mae"] - trials["val_gender_accuracy"] - trials["val_ethnicity_macro_f1"]).idxmin()
    ]
    assert chosen["values"]["learning_rate"] == pytest.approx(best["learning_rate"])


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
