"""What the codes of a manifest mean where outputs are switched off."""

from dataclasses import replace

import numpy as np
import pytest

from components.dataset.labels import Labels
from components.dataset.manifest import SCHEMA, Manifest
from components.dataset.tables import write_described
from components.errors import ArtifactError


def test_an_output_that_is_off_adds_nothing_to_cells_and_groups():
    full = Labels()
    assert full.cell_name(0) == "Male, White, 1-10"
    genderless, ageless, alone = (
        Labels(output_names=names) for names in (("age", "ethnicity"), ("gender", "ethnicity"), ("ethnicity",))
    )
    assert [labels.cell_count for labels in (full, genderless, ageless, alone)] == [64, 32, 8, 4]
    assert genderless.cell_name(8) == "Black, 1-10"
    assert genderless.group_names == alone.group_names == full.ethnicities
    assert ageless.cell_name(5) == "Female, Black"
    assert ageless.group_names == full.group_names
    assert [labels.cell_kind for labels in (genderless, ageless, alone)] == [
        "ethnicity × age-bin", "gender × ethnicity", "ethnicity",
    ]  # fmt: skip
    faces = {"gender": [0, 0], "ethnicity": [1, 3], "age_bin": [0, 7]}
    assert genderless.cells(faces).tolist() == [8, 31]
    assert alone.cells(faces).tolist() == [1, 3]
    assert (ageless.age_bin(np.array([1, 99])) == 0).all()


def test_labels_differ_only_in_what_is_on():
    assert Labels(max_age=116, output_names=("ethnicity",)) == Labels(genders=("a", "b"), output_names=("ethnicity",))
    assert Labels(output_names=("age", "ethnicity")) != Labels()


def test_labels_in_a_file_are_read_with_all_outputs_unless_they_name_some():
    assert "output_names" not in Labels().to_dict()
    for labels in (Labels(), Labels(output_names=("gender", "ethnicity")), replace(Labels(), age_unit="months")):
        assert Labels.from_dict(labels.to_dict()) == labels


@pytest.mark.parametrize("names", [["age"], ["ethnicity", "age"], ["age", "hair", "ethnicity"], []])
def test_a_file_with_impossible_outputs_is_refused_as_damaged(tmp_path, make_manifest, names):
    manifest = make_manifest(5)
    labels = manifest.labels.to_dict() | {"output_names": names}
    about = {"labels": labels, "fingerprint": "", "made_by": {}}
    write_described(tmp_path / "manifest", manifest.faces, SCHEMA, about)
    with pytest.raises(ArtifactError, match=r"labels: .*there are no outputs"):
        Manifest.read(tmp_path / "manifest")
