"""Every metric, against scikit-learn, numpy or a closed form."""

import dataclasses

import numpy as np
import pytest
from fairlearn.metrics import MetricFrame as FairlearnFrame
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as reference

from components.dataset.labels import Labels
from components.evaluation.catalogue import CATALOGUE, GROUPED, SCALARS, Better
from components.evaluation.frame import ErrorQuantiles, MetricFrame, frame_from_sums, score

CLASSES = [0, 1, 2, 3]


@pytest.fixture(scope="module")
def predictions(predict):
    return predict(priors=[0.6, 0.2, 0.03, 0.17])


def test_age_metrics_match_sklearn_and_numpy(predictions):
    truth, predicted = predictions.faces["age"], predictions.faces["predicted_age"].astype(float)
    errors = predicted - truth
    found = score(predictions).overall
    assert found["age_mae"] == pytest.approx(reference.mean_absolute_error(truth, predicted))
    assert found["age_bias"] == pytest.approx(errors.mean())
    assert found["age_error_std"] == pytest.approx(errors.abs().std(ddof=0))
    assert found["age_error_median"] == pytest.approx(np.quantile(errors.abs(), 0.5, method="inverted_cdf"))
    assert found["age_error_p90"] == pytest.approx(np.quantile(errors.abs(), 0.9, method="inverted_cdf"))
    by_bin = errors.abs().groupby(predictions.faces["age_bin"]).mean()
    np.testing.assert_allclose(found["age_mae_by_bin"], by_bin)
    assert found["age_mae_bin_gap"] == pytest.approx(by_bin.max() - by_bin.min())


def test_class_metrics_match_sklearn(predictions):
    faces, found = predictions.faces, score(predictions).overall
    truth, predicted = faces["ethnicity"], faces["predicted_ethnicity"]
    precision, recall, f1, _ = reference.precision_recall_fscore_support(truth, predicted, labels=CLASSES)
    np.testing.assert_allclose(found["ethnicity_precision"], precision)
    np.testing.assert_allclose(found["ethnicity_recall"], recall)
    np.testing.assert_allclose(found["ethnicity_f1"], f1)
    assert found["ethnicity_macro_f1"] == pytest.approx(reference.f1_score(truth, predicted, average="macro"))
    assert found["ethnicity_accuracy"] == pytest.approx(reference.accuracy_score(truth, predicted))
    assert found["gender_accuracy"] == pytest.approx(
        reference.accuracy_score(faces["gender"], faces["predicted_gender"])
    )
    confusion = score(predictions).confusion
    np.testing.assert_array_equal(confusion["ethnicity"], reference.confusion_matrix(truth, predicted))
    np.testing.assert_array_equal(
        confusion["gender"], reference.confusion_matrix(faces["gender"], faces["predicted_gender"])
    )


def test_group_metrics_match_sklearn_group_by_group(predictions):
    frame = score(predictions)
    for gender in (0, 1):
        half = predictions.faces[predictions.faces["gender"] == gender]
        precision, recall, f1, _ = reference.precision_recall_fscore_support(
            half["ethnicity"], half["predicted_ethnicity"], labels=CLASSES
        )
        np.testing.assert_array_equal(
            frame.confusion_by["ethnicity", "gender"][gender],
            reference.confusion_matrix(half["ethnicity"], half["predicted_ethnicity"]),
        )
        for ethnicity in CLASSES:
            group = half[half["ethnicity"] == ethnicity]
            expected = {
                "age_mae": reference.mean_absolute_error(group["age"], group["predicted_age"]),
                "age_bias": (group["predicted_age"].astype(float) - group["age"]).mean(),
                "gender_accuracy": reference.accuracy_score(group["gender"], group["predicted_gender"]),
                "ethnicity_recall": recall[ethnicity],
                "ethnicity_precision": precision[ethnicity],
                "ethnicity_f1": f1[ethnicity],
            }
            for name in GROUPED:
                assert frame.by_group[name][gender * 4 + ethnicity] == pytest.approx(expected[name], abs=1e-6), name


def test_the_worst_group_and_the_gap_match_fairlearn(predictions):
    faces = predictions.faces
    gender_error = (faces["gender"] != faces["predicted_gender"]).astype(int)
    for metric, function, truth, predicted in (
        ("age_mae", reference.mean_absolute_error, faces["age"], faces["predicted_age"].astype(float)),
        ("gender_accuracy", reference.accuracy_score, 0 * gender_error, gender_error),
        ("ethnicity_recall", reference.accuracy_score, faces["ethnicity"], faces["predicted_ethnicity"]),
    ):
        theirs = FairlearnFrame(
            metrics=function, y_true=truth, y_pred=predicted, sensitive_features=faces[["gender", "ethnicity"]]
        )
        ours = score(predictions)
        worst = theirs.group_max() if CATALOGUE[metric].better is Better.LOWER else theirs.group_min()
        assert ours.worst_group(metric) == pytest.approx(worst), metric
        assert ours.group_gap(metric) == pytest.approx(theirs.difference(method="between_groups")), metric
        assert ours.group_gap(metric) > 0


def test_gender_confusion_by_ethnicity_matches_sklearn(predictions):
    found = score(predictions).confusion_by["gender", "ethnicity"]
    for ethnicity in CLASSES:
        group = predictions.faces[predictions.faces["ethnicity"] == ethnicity]
        np.testing.assert_array_equal(
            found[ethnicity], reference.confusion_matrix(group["gender"], group["predicted_gender"])
        )


def test_a_perfect_network_scores_perfectly(predict):
    faces = predict().faces
    perfect = dataclasses.replace(
        predict(),
        faces=faces.assign(
            predicted_age=faces["age"].astype(np.float32),
            predicted_gender=faces["gender"],
            predicted_ethnicity=faces["ethnicity"],
        ),
    )
    found = score(perfect).overall
    for name, metric in SCALARS.items():
        assert found[name] == (1 if metric.better is Better.HIGHER else 0), name


def test_a_class_never_predicted_has_precision_and_f1_zero_as_in_sklearn(predict):
    predictions = predict()
    constant = dataclasses.replace(predictions, faces=predictions.faces.assign(predicted_ethnicity=np.int8(0)))
    found = score(constant).overall
    assert found["ethnicity_precision"].tolist() == [0.25, 0, 0, 0]
    assert found["ethnicity_macro_f1"] == pytest.approx(0.4 / 4)  # F1 of the one class: 2 · ¼ / (1 + ¼)


def test_a_class_without_faces_has_no_recall(predict):
    predictions = predict()
    kept = predictions.faces[predictions.faces["ethnicity"] != 2].reset_index(drop=True)
    found = score(dataclasses.replace(predictions, faces=kept)).overall
    assert np.isnan(found["ethnicity_recall"][2])
    assert np.isfinite(found["ethnicity_macro_f1"])


def test_leading_axes_are_carried_along():
    labels = Labels()
    sums = np.random.default_rng(0).random((3, 2, labels.cell_count, 9))
    counts = np.full(labels.cell_count, 4.0)
    quantiles = {name: np.zeros((3, 2)) for name in ("age_error_median", "age_error_p90")}
    together = frame_from_sums(sums, counts, labels, quantiles).at((2, 1))
    alone = frame_from_sums(sums[2, 1], counts, labels, {name: np.zeros(()) for name in quantiles})
    for part in ("overall", "by_group", "confusion", "confusion_by"):
        for name, values in getattr(alone, part).items():
            np.testing.assert_allclose(getattr(together, part)[name], values, err_msg=str(name))


@given(
    st.lists(st.tuples(st.floats(0, 80, width=32), st.integers(0, 5)), min_size=1, max_size=200).filter(
        lambda pairs: sum(count for _, count in pairs) > 0
    )
)
@settings(max_examples=60, deadline=None)
def test_quantiles_equal_those_of_the_repeated_errors(pairs):
    errors, counts = (np.array(column) for column in zip(*pairs, strict=True))
    repeated = np.repeat(errors, counts)
    features = np.zeros((len(errors), 9))
    features[:, 0] = errors
    [found] = ErrorQuantiles(features, Labels()).of(counts[None, :], [np.ones(len(errors))])
    assert found["age_error_median"][0] == np.quantile(repeated, 0.5, method="inverted_cdf")
    assert found["age_error_p90"][0] == np.quantile(repeated, 0.9, method="inverted_cdf")


def test_quantiles_of_many_weightings_are_the_first_errors_whose_cumulated_weight_reaches_the_share():
    generator = np.random.default_rng(2)
    features, counts, worth = generator.random((1000, 9)), generator.poisson(1, (50, 1000)), generator.random(1000)
    order = np.argsort(features[:, 0])
    cumulated = np.cumsum((counts * worth)[:, order], axis=1)
    _, found = ErrorQuantiles(features, Labels()).of(counts, [np.ones(1000), worth])
    for name, share in (("age_error_median", 0.5), ("age_error_p90", 0.9)):
        expected = features[order[(cumulated < share * cumulated[:, -1:]).sum(axis=1)], 0]
        np.testing.assert_array_equal(found[name], expected)


def test_the_worst_group_is_the_highest_error_the_lowest_accuracy_and_the_largest_bias():
    values = np.array([[0.2, -0.9, 0.7, np.nan]])
    frame = MetricFrame({}, dict.fromkeys(("age_mae", "gender_accuracy", "age_bias"), values))
    assert [float(frame.worst_group(metric)[0]) for metric in frame.by_group] == [0.7, -0.9, -0.9]
    assert frame.group_gap("age_mae")[0] == pytest.approx(1.6)
