import shutil
import tarfile

import pytest
from gcp_storage_emulator.server import create_server
from google.cloud import storage
from PIL import Image

from components.errors import ArtifactError, DataError
from components.preprocess.parts import read_part
from components.preprocess.preprocess import merge_parts, preprocess
from components.preprocess.settings import PreprocessSettings
from components.sources.source import parse_source

OUTPUTS = ("images", "manifest", "rejects", "summary")
SETTINGS = PreprocessSettings(
    synthetic={"faces": 400, "image_side": 32},
    undersample={"Asian": 0.5},
    floor_per_cell=1,
    max_reject_fraction=0.1,
    shard_megabytes=0.02,  # Several shards.
)
PARTS = 3


@pytest.fixture
def folder(source):
    """Give the folder of faces, some of them faulty, in two copies or foreign."""
    (source / "39_1_20170116.jpg").write_bytes(b"no race")
    (source / "21_0_0_7.jpg").touch()
    (source / "notes.txt").touch()
    (source / "more").mkdir()
    shutil.copy(source / "25_0_0_0.jpg.chip.jpg", source / "more" / "27_0_0_9.jpg")
    with Image.open(source / "35_0_0_0.jpg.chip.jpg") as image:
        image.save(source / "more" / "36_0_0_9.jpg", quality=80)  # A near-copy.
    return source


@pytest.fixture
def archive(folder):
    """Give the folder as an archive that holds two of the files twice."""
    path = folder.with_suffix(".tar.gz")
    with tarfile.open(path, "w:gz") as packed:
        packed.add(folder, "faces")
        for name in ("25_0_0_0.jpg.chip.jpg", "35_1_0_1.jpg.chip.jpg"):
            packed.add(folder / name, f"faces/{name}")
    return path


@pytest.fixture
def bucket(folder, monkeypatch):
    """Give some of the folder as objects of a bucket, served over HTTP."""
    server = create_server("localhost", 0, in_memory=True, default_bucket="faces")
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://localhost:{server._api._httpd.server_port}")
    objects = storage.Client(project="test").bucket("faces")
    for path in folder.rglob("[!14-8]*.*"):
        objects.blob(f"data/{path.relative_to(folder)}").upload_from_filename(path)
    yield "gs://faces/data"
    server.stop()


def read_in_parts(source, output):
    """Return the paths of all parts, in another order than theirs."""
    paths = [str(output / f"part-{part}") for part in range(PARTS)]
    for part, path in enumerate(paths):
        read_part(str(source), SETTINGS, part, PARTS, path)
    return paths[1:] + paths[:1]


def merge(parts, source, output, fingerprint=""):
    return merge_parts(parts, str(source), SETTINGS, *(str(output / name) for name in OUTPUTS), fingerprint)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("kind", ["folder", "archive", "bucket", "synthetic"])
def test_a_source_read_in_parts_gives_the_same_bytes_as_read_at_once(kind, request, tmp_path):
    source = kind if kind == "synthetic" else request.getfixturevalue(kind)
    whole, joined = tmp_path / "whole", tmp_path / "joined"
    facts = preprocess(str(source), SETTINGS, *(str(whole / name) for name in OUTPUTS))
    assert merge(read_in_parts(source, tmp_path), source, joined) == facts
    assert contents(joined) == contents(whole)
    assert len(list((whole / "images").iterdir())) > 1


def test_a_part_without_files_is_no_hindrance(tmp_path, picture):
    source = tmp_path / "faces"
    source.mkdir()
    (source / "20_0_0_1.jpg").write_bytes(picture())
    # All parts are joined: it is the whole that lacks classes.
    with pytest.raises(DataError, match="No face of Female or Black"):
        merge(read_in_parts(source, tmp_path), source, tmp_path / "joined")
    assert not list((tmp_path / "joined").iterdir())


def test_parts_of_a_source_that_changed_meanwhile_are_refused(folder, tmp_path):
    parts = read_in_parts(folder, tmp_path)
    (folder / "21_0_0_8.jpg").touch()
    read_part(str(folder), SETTINGS, 2, PARTS, str(tmp_path / "part-2"))
    with pytest.raises(ArtifactError, match="The source changed while its parts were read"):
        merge(parts, folder, tmp_path / "joined")
    assert not list((tmp_path / "joined").iterdir())


def test_parts_that_are_not_what_the_run_was_started_for_are_refused(folder, tmp_path):
    before = parse_source(str(folder)).fingerprint()
    parts = read_in_parts(folder, tmp_path)
    assert merge(parts, folder, tmp_path / "joined", before)["fingerprint"] == before
    shutil.copy(folder / "25_0_0_0.jpg.chip.jpg", folder / "35_0_0_0.jpg.chip.jpg")
    with pytest.raises(DataError, match="changed after the run had begun"):
        merge(read_in_parts(folder, tmp_path), folder, tmp_path / "again", before)
    assert not list((tmp_path / "again").iterdir())


def test_a_missing_repeated_or_damaged_part_is_named(folder, tmp_path):
    parts = read_in_parts(folder, tmp_path)
    for given, numbers in ((parts[:2], r"\[1, 2\]"), ([*parts, parts[0]], r"\[0, 1, 1, 2\]")):
        with pytest.raises(ArtifactError, match=rf"The parts {numbers} are not the parts \[0, 1, 2\] of one source"):
            merge(given, folder, tmp_path / "joined")
    shard = tmp_path / "part-1" / "images" / "images-00000.parquet"
    shard.write_bytes(b"no parquet")
    with pytest.raises(ArtifactError, match=r"images-00000\.parquet is damaged"):
        merge(parts, folder, tmp_path / "joined")
    shard.unlink()
    with pytest.raises(ArtifactError, match=r"part-1 is damaged \(the image of .* is missing\): run preprocess again"):
        merge(parts, folder, tmp_path / "joined")
    shutil.rmtree(tmp_path / "part-1")
    with pytest.raises(ArtifactError, match=r"part-1 does not exist: run preprocess again"):
        merge(parts, folder, tmp_path / "joined")


def test_the_number_of_parts_reaches_no_stage_and_no_manifest():
    assert PreprocessSettings(parts=3).to_parameter() == PreprocessSettings().to_parameter()
