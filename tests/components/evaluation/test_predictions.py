"""The predictions artifact: what is written is what is read, and faults are named."""

import dataclasses

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.dataset.labels import Labels
from components.dataset.outputs import OUTPUTS
from components.errors import ArtifactError, DataError
from components.evaluation.predictions import Predictions, align, schema_of


def test_written_predictions_are_read_back(tmp_path, predict):
    predictions = predict("ins", 7)
    predictions.write(tmp_path / "predictions.parquet")
    read = Predictions.read(tmp_path / "predictions.parquet")
    assert (read.variant, read.seed, read.labels) == ("ins", 7, predictions.labels)
    pd.testing.assert_frame_equal(
        read.faces.drop(columns="ethnicity_probabilities"), predictions.faces.drop(columns="ethnicity_probabilities")
    )
    assert (read.probabilities(OUTPUTS["ethnicity"]) == predictions.probabilities(OUTPUTS["ethnicity"])).all()
    assert pq.read_schema(tmp_path / "predictions.parquet").names == schema_of(predictions.labels).names


def test_cells_are_those_of_the_labels(predict):
    predictions = predict(per_cell=3)
    assert (predictions.cells() == np.repeat(np.arange(64), 3)).all()


@pytest.mark.parametrize(
    ("column", "value", "sentence"),
    [
        ("predicted_age", np.nan, "'predicted_age' has values that are not finite"),
        ("predicted_ethnicity", 4, "'predicted_ethnicity' needs codes from 0 to 3"),
        ("gender", -1, "'gender' needs codes from 0 to 1"),
        ("image_id", "face-1", "'image_id' lists a face twice"),
    ],
)
def test_an_impossible_value_is_named(tmp_path, predict, column, value, sentence):
    predictions = predict()
    faces = predictions.faces.copy()
    faces.loc[0, column] = value
    with pytest.raises(ArtifactError, match=sentence):
        dataclasses.replace(predictions, faces=faces).write(tmp_path / "p")
    assert not list(tmp_path.iterdir())


def test_a_file_changed_behind_our_back_is_checked_on_reading(tmp_path, predict):
    predict().write(tmp_path / "p")
    table = pq.read_table(tmp_path / "p")
    place = table.schema.get_field_index("predicted_age")
    damaged = table.set_column(place, table.schema.field(place), pa.array([np.nan] * len(table), pa.float32()))
    pq.write_table(damaged, tmp_path / "p")
    with pytest.raises(ArtifactError, match="'predicted_age' has values that are not finite"):
        Predictions.read(tmp_path / "p")


def test_probabilities_of_another_width_are_named(tmp_path, predict):
    predictions = predict()
    five = dataclasses.replace(predictions, labels=Labels(ethnicities=("A", "B", "C", "D", "E")))
    with pytest.raises(ArtifactError, match="'ethnicity_probabilities' needs 5 numbers per face"):
        five.write(tmp_path / "p")


def test_a_missing_file_a_broken_file_and_a_missing_column_are_named(tmp_path, predict):
    with pytest.raises(ArtifactError, match="does not exist"):
        Predictions.read(tmp_path / "absent")
    (tmp_path / "broken").write_bytes(b"no parquet")
    with pytest.raises(ArtifactError, match="is not Parquet"):
        Predictions.read(tmp_path / "broken")
    predict().write(tmp_path / "short")
    pq.write_table(pq.read_table(tmp_path / "short").drop_columns("predicted_age"), tmp_path / "short")
    with pytest.raises(ArtifactError, match="predicted_age"):
        Predictions.read(tmp_path / "short")


def test_alignment_undoes_another_order(predict):
    first, second = predict(seed=1), predict(seed=2)
    shuffled = dataclasses.replace(second, faces=second.faces.sample(frac=1, random_state=3))
    aligned = align([first, shuffled])
    pd.testing.assert_frame_equal(aligned[1].faces, second.faces)


def test_predictions_about_other_faces_or_another_truth_are_refused(predict):
    first = predict(per_cell=10)
    with pytest.raises(DataError, match="different faces"):
        align([first, predict(per_cell=9)])
    with pytest.raises(DataError, match="differ in the true age"):
        align([first, dataclasses.replace(first, faces=first.faces.assign(age=np.int16(3)))])
    with pytest.raises(DataError, match="different class names"):
        align([first, predict(labels=Labels(genders=("Female", "Male")))])
