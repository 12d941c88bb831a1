import numpy as np
import pytest
from sklearn.metrics import f1_score

from components.training.macro_f1 import MacroF1


def test_macro_f1_over_batches_equals_scikit_learn_over_the_epoch():
    random = np.random.default_rng(3)
    truth = random.choice(4, 500, p=[0.7, 0.2, 0.05, 0.05])
    scores = random.normal(size=(500, 4)) + 2 * np.eye(4)[truth]
    metric = MacroF1(4)
    for start in range(0, 500, 37):
        metric.update_state(truth[start : start + 37, None], scores[start : start + 37])
    assert float(metric.result()) == pytest.approx(f1_score(truth, scores.argmax(axis=1), average="macro"), abs=1e-6)


def test_sample_weights_count_like_repeated_faces():
    truth, scores = np.array([0, 1, 1, 2]), np.eye(3)[[0, 1, 2, 2]]
    weighted, repeated = MacroF1(3), MacroF1(3)
    weighted.update_state(truth, scores, sample_weight=np.array([1.0, 3.0, 1.0, 2.0]))
    repeated.update_state(np.repeat(truth, [1, 3, 1, 2]), np.repeat(scores, [1, 3, 1, 2], axis=0))
    assert float(weighted.result()) == pytest.approx(float(repeated.result()))


def test_a_class_neither_present_nor_predicted_scores_zero():
    metric = MacroF1(3)
    metric.update_state(np.array([0, 1]), np.eye(3)[[0, 1]])
    expected = f1_score([0, 1], [0, 1], labels=[0, 1, 2], average="macro", zero_division=0)
    assert float(metric.result()) == pytest.approx(expected)
