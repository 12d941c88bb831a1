import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from components.dataset.manifest import Manifest
from components.errors import ArtifactError


def change_table(make_manifest, path, change):
    make_manifest(5).write(path)
    pq.write_table(change(pq.read_table(path)), path)


def test_a_manifest_survives_writing_and_reading(make_manifest, tmp_path):
    manifest = make_manifest(30)
    manifest.write(tmp_path / "manifest")
    again = Manifest.read(tmp_path / "manifest")
    pd.testing.assert_frame_equal(again.faces, manifest.faces)
    assert (again.labels, again.fingerprint) == (manifest.labels, manifest.fingerprint)


def test_equal_manifests_are_equal_bytes(make_manifest, tmp_path):
    for name in ("first", "second"):
        make_manifest(30).write(tmp_path / name)
    assert (tmp_path / "first").read_bytes() == (tmp_path / "second").read_bytes()


def test_a_missing_column_is_named(make_manifest, tmp_path):
    change_table(make_manifest, tmp_path / "manifest", lambda table: table.drop_columns("gender"))
    with pytest.raises(ArtifactError, match=r"manifest has no column 'gender' \(expected int8\)"):
        Manifest.read(tmp_path / "manifest")


def test_a_column_of_another_type_is_named(make_manifest, tmp_path):
    change_table(
        make_manifest,
        tmp_path / "manifest",
        lambda table: table.set_column(6, "age", table["age"].cast(pa.float64())),
    )
    with pytest.raises(ArtifactError, match="column 'age' is double, expected int16"):
        Manifest.read(tmp_path / "manifest")


def test_a_foreign_table_and_a_missing_file_are_refused(make_manifest, tmp_path):
    change_table(make_manifest, tmp_path / "foreign", lambda table: table.replace_schema_metadata(None))
    with pytest.raises(ArtifactError, match="has no description in its metadata"):
        Manifest.read(tmp_path / "foreign")
    with pytest.raises(ArtifactError, match="does not exist: run preprocess again"):
        Manifest.read(tmp_path / "nothing")


def test_a_failed_write_leaves_the_old_manifest(make_manifest, tmp_path):
    path = tmp_path / "manifest"
    make_manifest(5).write(path)
    broken = Manifest(make_manifest(5).faces.drop(columns="age"), make_manifest(5).labels, "")
    with pytest.raises(KeyError):
        broken.write(path)
    assert len(Manifest.read(path)) == 5
    assert [item.name for item in tmp_path.iterdir()] == ["manifest"]
