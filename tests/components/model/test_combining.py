"""The SavedModel made of others: the same signature, and the numbers that the comparison computes."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest

from components.dataset.outputs import FOCUS
from components.imbalance.posthoc import adjust_probabilities
from components.model.combining import PosthocAdjustment, export_combined
from components.model.serving import ServedModel

PRIORS = (0.55, 0.24, 1e-5, 0.20999)


@pytest.fixture(scope="module")
def adjusted(exported, tmp_path_factory):
    path = tmp_path_factory.mktemp("adjusted") / "model"
    export_combined([(exported, PosthocAdjustment(FOCUS, PRIORS, tau=0.8, temperature=1.7))], path)
    return path


def test_it_does_what_the_comparison_computes_and_changes_nothing_else(adjusted, exported, picture):
    images = [picture(seed) for seed in range(5)]
    before, after = (ServedModel(path).predict(images, batch_size=2) for path in (exported, adjusted))
    wanted = adjust_probabilities(before[FOCUS.name], PRIORS, tau=0.8, temperature=1.7)
    np.testing.assert_allclose(after[FOCUS.name], wanted, rtol=1e-6)
    assert np.abs(wanted - before[FOCUS.name]).max() > 0.1
    for name in set(before) - {FOCUS.name}:
        np.testing.assert_array_equal(after[name], before[name])


def test_an_ensemble_answers_the_mean_of_its_networks_each_adjusted_first(adjusted, exported, picture, tmp_path):
    images = [picture(seed) for seed in range(5)]
    export_combined([(exported, None), (adjusted, None)], tmp_path / "ensemble")
    plain, changed, ensemble = (
        ServedModel(path).predict(images, batch_size=2) for path in (exported, adjusted, tmp_path / "ensemble")
    )
    for name, answers in ensemble.items():
        wanted = (plain[name].astype(np.float64) + changed[name]) / 2
        np.testing.assert_allclose(answers, wanted, rtol=1e-6)
    assert np.abs(ensemble[FOCUS.name] - plain[FOCUS.name]).max() > 0.05


def test_it_loads_with_tensorflow_alone_wherever_it_is_copied(adjusted, picture, tmp_path):
    copied = shutil.copytree(adjusted, tmp_path / "copied")
    code = f"""
import json, sys
sys.modules["components"] = sys.modules["keras"] = None
import tensorflow as tf
signature = tf.saved_model.load({str(copied)!r}).signatures["serving_default"]
scores = signature(image_bytes=tf.constant([sys.stdin.buffer.read()] * 2))
print(json.dumps([signature.structured_input_signature[1]["image_bytes"].shape.as_list(),
                  {{name: value.shape.as_list() for name, value in scores.items()}}]))
"""
    finished = subprocess.run([sys.executable, "-c", code], input=picture(1), capture_output=True, check=True)
    shapes = json.loads(finished.stdout.splitlines()[-1])
    assert shapes == [[None], {"age": [2, 1], "gender": [2, 1], "ethnicity": [2, 4]}]
