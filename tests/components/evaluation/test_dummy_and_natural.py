"""The dummy predictor and the estimate for the natural population."""

import dataclasses

import numpy as np
import pytest
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.metrics import accuracy_score, f1_score, mean_absolute_error

from components.dataset.outputs import OUTPUTS
from components.errors import DataError
from components.evaluation.bootstrap import Weighting
from components.evaluation.catalogue import SCALARS
from components.evaluation.dummy import dummy_predictions
from components.evaluation.frame import score
from components.evaluation.natural import natural_population

PRIORS = [0.55, 0.24, 0.04, 0.17]


def test_the_dummy_is_that_of_sklearns_dummies(predict, make_manifest):
    train, test = make_manifest(501, priors=PRIORS), predict()
    found = score(dummy_predictions(train, test)).overall
    nothing, faces = np.zeros((len(train), 1)), test.faces
    median = DummyRegressor(strategy="median").fit(nothing, train.faces["age"]).predict(faces[["age"]])
    assert found["age_mae"] == pytest.approx(mean_absolute_error(faces["age"], median))
    for name, metric in (("gender", "gender_accuracy"), ("ethnicity", "ethnicity_accuracy")):
        dummy = DummyClassifier(strategy="most_frequent").fit(nothing, train.faces[name])
        assert found[metric] == pytest.approx(accuracy_score(faces[name], dummy.predict(faces[["age"]])))
    majority = np.zeros(len(test), int)
    assert found["ethnicity_macro_f1"] == pytest.approx(f1_score(faces["ethnicity"], majority, average="macro"))


def test_the_dummy_predicts_the_training_shares_and_writes_as_predictions(tmp_path, predict, make_manifest):
    train = make_manifest(300, priors=PRIORS)
    dummy = dummy_predictions(train, predict())
    dummy.write(tmp_path / "dummy")
    shares = np.bincount(train.faces["ethnicity"], minlength=4) / 300
    np.testing.assert_allclose(dummy.probabilities(OUTPUTS["ethnicity"])[5], shares, rtol=1e-6)


def _natural(predictions, population):
    natural = next(Weighting.observed(predictions).score(predictions, population.shares)).natural
    return {name: float(natural[name][0]) for name in SCALARS}


def test_a_population_with_equal_cells_gives_the_metrics_of_the_test_set(predict, make_manifest):
    predictions = predict()
    manifest = make_manifest(10)
    balanced = dataclasses.replace(manifest, faces=predictions.faces[["age", "gender", "ethnicity", "age_bin"]])
    found = _natural(predictions, natural_population(balanced, predictions.cells()))
    expected = score(predictions).overall
    for name in SCALARS:
        assert found[name] == pytest.approx(float(expected[name])), name


def test_natural_estimates_equal_sklearns_with_sample_weights(predict, make_manifest):
    predictions, manifest = predict(), make_manifest(5000, priors=PRIORS)
    population = natural_population(manifest, predictions.cells())
    found = _natural(predictions, population)
    weights = np.bincount(manifest.cells(), minlength=64)[predictions.cells()] / 10
    faces = predictions.faces
    assert found["age_mae"] == pytest.approx(
        mean_absolute_error(faces["age"], faces["predicted_age"], sample_weight=weights)
    )
    assert found["gender_accuracy"] == pytest.approx(
        accuracy_score(faces["gender"], faces["predicted_gender"], sample_weight=weights)
    )
    assert found["ethnicity_macro_f1"] == pytest.approx(
        f1_score(faces["ethnicity"], faces["predicted_ethnicity"], average="macro", sample_weight=weights)
    )
    errors = np.abs(faces["predicted_age"].astype(float) - faces["age"]).to_numpy()
    median = np.quantile(errors, 0.5, method="inverted_cdf", weights=weights)
    assert found["age_error_median"] == pytest.approx(median)


def test_cells_without_a_test_face_are_named_and_the_rest_is_scaled_up(predict, make_manifest):
    predictions = predict()
    kept = dataclasses.replace(predictions, faces=predictions.faces.iloc[20:].reset_index(drop=True))
    manifest = make_manifest(5000)
    population = natural_population(manifest, kept.cells())
    assert population.absent_cells == ("Male, White, 1-10", "Male, White, 11-20")
    assert population.shares[:2].tolist() == [0, 0]
    assert population.shares.sum() == pytest.approx(1)
    lost = (manifest.cells() < 2).mean()
    assert population.covered_share == pytest.approx(1 - lost)
    assert all(np.isfinite(value) for value in _natural(kept, population).values())


def test_a_manifest_of_other_cells_is_refused(make_manifest):
    manifest = make_manifest(40, priors=[1, 0, 0, 0])
    with pytest.raises(DataError, match="have no cell in common"):
        natural_population(manifest, np.array([63]))
