import math
import shutil
import tarfile
import zipfile

import numpy as np
import pytest
from gcp_storage_emulator.server import create_server
from google.cloud import storage

from components.dataset.images import read_encoded
from components.errors import DataError
from components.sources.source import parse_source


def test_every_file_is_either_in_the_manifest_or_in_the_rejects(source, run):
    (source / "39_1_20170116.jpg").write_bytes(b"no race")
    (source / ".DS_Store").touch()
    outcome = run(source)
    files = {path.name for path in source.iterdir()}
    used = set(outcome.manifest.faces["file_name"])
    rejected = set(outcome.rejects["file_name"])
    assert used | rejected == files
    assert not used & rejected
    assert outcome.facts == {
        "fingerprint": outcome.manifest.fingerprint,
        "files": 182,
        "faces": 128,
        "faults": 1,
        "rejected": 54,
    }


def test_labels_come_from_the_names(source, run):
    faces = run(source).manifest.faces
    for face in faces.itertuples():
        age, gender, race, _ = face.file_name.split("_")
        assert (face.age, face.gender, face.ethnicity) == (int(age), int(gender), int(race))
        assert face.log_age == pytest.approx(math.log(face.age))
        assert face.age_bin == (face.age - 1) // 10


def test_codes_are_contiguous_when_a_class_in_the_middle_is_dropped(source, run):
    manifest = run(source, drop_ethnicities=["Black", "Other"]).manifest
    assert manifest.labels.ethnicities == ("White", "Asian", "Indian")
    names = np.array(manifest.labels.ethnicities)[manifest.faces["ethnicity"]]
    races = manifest.faces["file_name"].str.split("_").str[2]
    assert set(zip(races, names, strict=True)) == {("0", "White"), ("2", "Asian"), ("3", "Indian")}


def test_images_are_packed_byte_for_byte(source, run):
    outcome = run(source)
    contents = read_encoded(outcome.folder / "images", outcome.manifest)
    for name, content in zip(outcome.manifest.faces["file_name"], contents, strict=True):
        assert content == (source / name).read_bytes()


def test_the_same_data_gives_the_same_bytes_twice(source, run):
    first, second = run(source, undersample={"Asian": 0.5}), run(source, undersample={"Asian": 0.5})
    for name in ("manifest", "rejects", "summary", "images/images-00000.parquet"):
        assert (first.folder / name).read_bytes() == (second.folder / name).read_bytes()


def test_another_seed_undersamples_other_faces(source, run):
    chosen = [run(source, undersample={"White": 0.5}, floor_per_cell=0, seed=seed).reasons for seed in (0, 1)]
    assert chosen[0] != chosen[1]
    assert len(chosen[0]) == len(chosen[1])


@pytest.fixture
def packings(source, tmp_path):
    """Give the same files as a tar in reverse order and as a zip, one of them in a folder; one face is there twice."""
    (source / "again").mkdir()
    shutil.copy(source / "25_0_2_0.jpg.chip.jpg", source / "again")
    tar_path, zip_path = tmp_path / "faces.tar.gz", tmp_path / "faces.zip"
    with tarfile.open(tar_path, "w:gz") as tar, zipfile.ZipFile(zip_path, "w") as zipped:
        for path in sorted((path for path in source.rglob("*") if path.is_file()), reverse=True):
            tar.add(path, path.relative_to(source))
            zipped.write(path, path.relative_to(source.parent))
    return {"folder": source, "tar": tar_path, "zip": zip_path}


def test_folder_and_archives_give_the_same_faces_whatever_their_order_and_the_folder_around_them(packings, run):
    outcomes = [run(path, undersample={"Asian": 0.5}) for path in packings.values()]
    expected = outcomes[0].manifest
    around = [expected.faces["file_name"], outcomes[0].rejects["file_name"]]
    assert expected.faces["image_id"].is_unique
    for prefix, outcome in zip(("", "UTKFace/"), outcomes[1:], strict=True):
        named = ["shard", "row", "file_name"]
        assert outcome.manifest.faces.drop(columns=named).equals(expected.faces.drop(columns=named))
        assert outcome.manifest.fingerprint == expected.fingerprint
        assert outcome.rejects.drop(columns="file_name").equals(outcomes[0].rejects.drop(columns="file_name"))
        for before, table in zip(around, (outcome.manifest.faces, outcome.rejects), strict=True):
            assert table["file_name"].tolist() == [prefix + name for name in before]
        assert len(list(read_encoded(outcome.folder / "images", outcome.manifest))) == len(expected.faces)
    assert {parse_source(str(path)).fingerprint() for path in packings.values()} == {expected.fingerprint}


@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_a_source_that_changed_after_the_run_began_is_refused_and_leaves_nothing(packings, run, source, kind):
    before = parse_source(str(packings[kind])).fingerprint()
    assert run(packings[kind], source_fingerprint=before).facts["fingerprint"] == before
    assert run(packings[kind], source_fingerprint="a name that the user vouches for").facts["fingerprint"] == before
    shutil.copy(source / "25_0_0_0.jpg.chip.jpg", source / "26_0_0_0.jpg.chip.jpg")
    with tarfile.open(packings["tar"], "w:gz") as tar:
        tar.add(source, ".")
    with pytest.raises(
        DataError, match=r"changed after the run had begun: leave it alone until preprocess has read it"
    ):
        run(packings[kind], source_fingerprint=before)
    assert not any((run.latest / name).exists() for name in ("images", "manifest", "rejects", "summary"))


def test_a_bucket_gives_the_same_faces_as_the_folder_it_was_filled_from(source, tar, run, monkeypatch):
    for path in source.glob("[!2]*"):
        path.unlink()
    files = [(path.name, path.read_bytes()) for path in source.iterdir()]
    server = create_server("localhost", 0, in_memory=True, default_bucket="faces")
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://localhost:{server._api._httpd.server_port}")
    try:
        bucket = storage.Client(project="test").bucket("faces")
        for name, content in [*((f"data/{name}", content) for name, content in files), ("faces.tar.gz", tar(files))]:
            bucket.blob(name).upload_from_string(content)
        expected = run(source).manifest
        for uri in ("gs://faces/data", "gs://faces/faces.tar.gz"):
            manifest = run(uri).manifest
            assert manifest.fingerprint == expected.fingerprint
            assert manifest.faces["image_id"].equals(expected.faces["image_id"])
        before = parse_source("gs://faces/data").fingerprint()
        assert run("gs://faces/data", source_fingerprint=before).manifest.fingerprint == expected.fingerprint
        bucket.blob(f"data/{files[0][0]}").upload_from_string(files[1][1])
        with pytest.raises(DataError, match="changed after the run had begun"):
            run("gs://faces/data", source_fingerprint=before)
    finally:
        server.stop()


def test_the_fingerprint_changes_with_any_content_and_not_with_foreign_files(source, run):
    before = run(source).manifest.fingerprint
    (source / "notes.txt").write_text("ours")
    assert run(source).manifest.fingerprint == before
    (source / "unnamed.jpg").write_bytes(b"one more candidate")
    assert run(source).manifest.fingerprint != before


def test_copies_share_a_group_and_a_name_repeats_nowhere(source, run):
    shutil.copy(source / "25_0_0_0.jpg.chip.jpg", source / "27_0_0_9.jpg")
    faces = run(source).manifest.faces
    group = faces.loc[faces["file_name"].isin(["25_0_0_0.jpg.chip.jpg", "27_0_0_9.jpg"]), "duplicate_group"]
    assert group.nunique() == 1
    assert faces["duplicate_group"].nunique() == len(faces) - 1
    assert faces["image_id"].is_unique


def test_copies_are_dropped_where_asked_and_each_is_listed(source, run):
    shutil.copy(source / "25_0_0_0.jpg.chip.jpg", source / "27_0_0_9.jpg")  # Agrees: within 5 years.
    shutil.copy(source / "35_0_0_0.jpg.chip.jpg", source / "55_0_0_9.jpg")  # 20 years apart.
    shutil.copy(source / "45_0_0_0.jpg.chip.jpg", source / "45_1_0_9.jpg")  # Another gender.
    shutil.copy(source / "65_0_0_0.jpg.chip.jpg", source / "65_0_4_9.jpg")  # A class that is dropped anyway.
    outcome = run(source, duplicates="drop")
    reasons = {name: reason for name, reason in outcome.reasons.items() if reason.startswith("duplicate")}
    assert reasons == {
        "27_0_0_9.jpg": "duplicate",
        "35_0_0_0.jpg.chip.jpg": "duplicate with conflicting labels",
        "55_0_0_9.jpg": "duplicate with conflicting labels",
        "45_0_0_0.jpg.chip.jpg": "duplicate with conflicting labels",
        "45_1_0_9.jpg": "duplicate with conflicting labels",
        "65_0_0_0.jpg.chip.jpg": "duplicate with conflicting labels",
        "65_0_4_9.jpg": "duplicate with conflicting labels",
    }
    assert outcome.manifest.faces["content_hash"].is_unique


def test_the_summary_accounts_for_every_step(source, run):
    (source / "39_1_20170116.jpg").write_bytes(b"no race")
    outcome = run(source, undersample={"Asian": 0.75}, floor_per_cell=1)
    summary = outcome.summary
    assert [(step["step"], step["faces"], step["removed"]) for step in summary["steps"]] == [
        ("files", 181, 0),
        ("readable", 180, 1),
        ("drop_ethnicities", 144, 36),
        ("max_age", 128, 16),
        ("undersample", 112, 16),  # 32 Asian faces: a quarter is 8, the floor of 16 cells is 16.
    ]
    assert summary["rejects"] == {
        "name lacks a field": 1,
        "ethnicity dropped": 36,
        "above the age limit": 16,
        "undersampled": 16,
    }
    assert summary["before"]["ethnicity"] == dict.fromkeys(("White", "Black", "Asian", "Indian", "Other"), 36)
    assert summary["after"]["ethnicity"] == {"White": 32, "Black": 32, "Asian": 16, "Indian": 32}
    assert summary["after"]["gender"] == {"Male": 56, "Female": 56}
    assert set(summary["after"]["age"]) == {str(age) for age in range(5, 85, 10)}


def test_a_source_that_is_used_whole_has_an_empty_table_of_rejects(source, run):
    outcome = run(source, drop_ethnicities=[], max_age=100)
    assert len(outcome.manifest) == 180
    assert list(outcome.rejects.columns) == ["file_name", "reason", "detail"]
    assert outcome.rejects.empty
    assert outcome.summary["rejects"] == {}


def test_the_correlations_are_pearsons(source, run):
    outcome = run(source)
    faces = outcome.manifest.faces
    correlation = outcome.summary["correlation"]
    expected = np.corrcoef([faces[name].astype(float) for name in correlation["columns"]])
    assert np.allclose(correlation["matrix"], expected, atol=1e-5)


def test_a_label_that_does_not_vary_has_no_correlation(tmp_path, run, picture):
    for seed, (gender, race) in enumerate(((0, 0), (1, 0), (0, 1), (1, 1))):
        (tmp_path / f"30_{gender}_{race}_1.jpg").write_bytes(picture(seed))
    matrix = run(tmp_path, drop_ethnicities=["Asian", "Indian", "Other"]).summary["correlation"]["matrix"]
    assert matrix[0][2] is None
    assert matrix[2][3] == 0


def test_progress_is_logged(source, run, monkeypatch, caplog):
    monkeypatch.setattr("components.preprocess.reading._PROGRESS_EVERY", 100)
    with caplog.at_level("INFO", "components"):
        run(source)
    assert "100 files read: 100 faces, 0 rejected" in caplog.text


def test_synthetic_faces_are_a_source(run):
    outcome = run(
        "synthetic", synthetic={"faces": 70, "image_side": 32, "smallest_cell": 1, "broken_files": 1}, min_side=16
    )
    assert outcome.facts["faults"] >= 3
    assert set(outcome.manifest.faces["ethnicity"]) == {0, 1, 2, 3}
