import json
import subprocess
import sys

import pytest

from components.dataset.labels import Labels
from components.errors import ArtifactError
from components.imbalance.statistics import FaceCounts, ResamplingStatistics, Statistics
from components.model.settings import Hyperparameters
from components.training.recipe import Recipe
from components.training.record import TrainingRecord

RECORD = TrainingRecord(
    variant="ins",
    seed=7,
    title="Inverse number of samples",
    source="a test",
    cures={"age": ("ins",)},
    hyperparameters=Hyperparameters(),
    labels=Labels(),
    fingerprint="fingerprint",
    statistics=Statistics(
        parameters={"downsample.seed": 42, "lmf.class_weighted": True, "lds.reweight": "inverse", "lmf.beta": 0.5},
        faces=FaceCounts(given=4, used=4),
        counts={},
        priors={},
        output_priors={"ethnicity": None},
        resampling=ResamplingStatistics(cure="none", details={}),
        treatments={},
    ),
    epochs_run=2,
    best_epoch=1,
    train_seconds=1.5,
    train_faces=4,
    validation_faces=2,
    parameters=100,
    recipe=Recipe(),
)


def test_what_is_written_is_what_is_read(tmp_path):
    RECORD.write(tmp_path)
    assert TrainingRecord.read(tmp_path) == RECORD


@pytest.mark.parametrize(
    ("change", "place"),
    [
        ({"schema_version": 2}, "schema_version"),
        ({"seed": "seven"}, "seed"),
        ({"class_priors": []}, "class_priors"),
        ({"labels": {"genders": 3}}, "labels.genders"),
    ],
    ids=str,
)
def test_another_form_is_one_sentence_that_names_the_place(tmp_path, change, place):
    content = {**RECORD.model_dump(mode="json"), **change}
    (tmp_path / "variant.json").write_text(json.dumps(content))
    with pytest.raises(ArtifactError, match=rf"variant.json .*\({place}: .*: rerun the stage that writes it\."):
        TrainingRecord.read(tmp_path)


def test_a_missing_record_is_one_sentence(tmp_path):
    with pytest.raises(ArtifactError, match="variant.json does not exist: rerun the stage"):
        TrainingRecord.read(tmp_path)


def test_reading_a_record_imports_nothing_heavy():
    program = "import sys, components.training.record; print({'keras', 'tensorflow', 'pandas'} & set(sys.modules))"
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "set()"
