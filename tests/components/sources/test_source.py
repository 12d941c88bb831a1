import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from components.errors import RequestError
from components.sources.limits import SourceLimits
from components.sources.source import ArchiveSource, BucketSource, FolderSource, SyntheticSource, parse_source
from components.sources.synthetic import generate
from components.sources.synthetic_settings import SyntheticSettings

FACES = [(b"a.jpg", b"first"), (b"b/c.jpg", b"second")]
SETTINGS = SyntheticSettings(faces=3, image_side=16, smallest_cell=0)


def read(source, synthetic=SETTINGS):
    return [(file.name, file.content) for file in parse_source(str(source)).read(SourceLimits(), synthetic)]


@pytest.fixture
def folder(tmp_path):
    """Give a folder of two faces and some things that are no files."""
    folder = tmp_path / "faces"
    (folder / "b").mkdir(parents=True)
    (folder / "a.jpg").write_bytes(b"first")
    (folder / "b" / "c.jpg").write_bytes(b"second")
    (folder / "nowhere.jpg").symlink_to(folder / "gone.jpg")
    os.mkfifo(folder / "pipe.jpg")
    return folder


@pytest.fixture
def archive(tmp_path, tar):
    path = tmp_path / "faces.tar.gz"
    path.write_bytes(tar([("a.jpg", b"first"), ("b/c.jpg", b"second")]))
    return path


@pytest.mark.parametrize(
    ("text", "kind", "on_cluster"),
    [
        ("synthetic", SyntheticSource, True),
        ("gs://faces/UTKFace", BucketSource, True),
        ("gs://faces/UTKFace.tar.gz", BucketSource, True),
        ("nowhere/faces", FolderSource, False),
        ("nowhere/faces.TAR.GZ", ArchiveSource, False),
        ("nowhere/faces.zip/", ArchiveSource, False),
    ],
)
def test_what_a_user_names_is_one_of_four_kinds_whether_it_exists_or_not(text, kind, on_cluster):
    source = parse_source(text)
    assert type(source) is kind
    assert source.name == text
    assert source.is_visible_on_cluster == on_cluster
    assert source.is_visible_here == on_cluster


def test_a_folder_named_like_an_archive_is_a_folder(folder):
    folder = folder.rename(folder.with_suffix(".zip"))
    assert type(parse_source(str(folder))) is FolderSource


def test_only_a_path_depends_on_the_working_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    assert parse_source("faces").absolute() == str(folder)
    assert parse_source("faces").path == Path("faces")
    for name in ("synthetic", "gs://faces/UTKFace"):
        assert parse_source(name).absolute() == name
        assert parse_source(name).path is None


def test_every_kind_is_read(folder, archive):
    faces = [("a.jpg", b"first"), ("b/c.jpg", b"second")]
    assert [file for file in read(folder) if file[1]] == faces
    assert read(archive) == faces
    assert read("synthetic") == list(generate(SETTINGS))


def digest(*files):
    lines = (name + b"\0" + hashlib.sha256(content).hexdigest().encode() + b"\n" for name, content in files)
    return hashlib.sha256(b"".join(lines)).hexdigest()


def test_a_path_is_known_by_the_names_and_contents_of_its_faces(folder):
    linked = (b"nowhere.jpg\0\n", b"pipe.jpg\0\n")  # They look like faces, but have no content.
    faces = [name + b"\0" + hashlib.sha256(face).hexdigest().encode() + b"\n" for name, face in FACES]
    assert parse_source(str(folder)).fingerprint() == hashlib.sha256(b"".join([*faces, *linked])).hexdigest()
    for name in ("nowhere.jpg", "pipe.jpg"):
        (folder / name).unlink()
    (folder / "notes.txt").write_text("ours")
    assert parse_source(str(folder)).fingerprint() == digest(*FACES)
    Path(os.fsdecode(os.fsencode(folder) + b"/\xff.jpg")).write_bytes(b"third")
    assert parse_source(str(folder)).fingerprint() != digest(*FACES)
    assert parse_source("synthetic").fingerprint() == "synthetic"


def test_neither_the_packing_nor_the_order_nor_a_folder_around_the_faces_counts(tmp_path, tar, zipped):
    files = [(name.decode(), content) for name, content in FACES]
    packings = {
        "faces.tar": tar(files),
        "around.tar.gz": tar([(f"UTKFace/part1/{name}", content) for name, content in reversed(files)]),
        "foreign.zip": zipped([("__MACOSX/._a.jpg", b"x"), *((f"UTKFace/{name}", content) for name, content in files)]),
    }
    for name, content in packings.items():
        (tmp_path / name).write_bytes(content)
        assert parse_source(str(tmp_path / name)).fingerprint() == digest(*FACES)
    for name, other in (("renamed", [("c.jpg", b"first"), files[1]]), ("changed", [files[0], ("b/c.jpg", b"other")])):
        (tmp_path / f"{name}.tar").write_bytes(tar(other))
        assert parse_source(str(tmp_path / f"{name}.tar")).fingerprint() != digest(*FACES)
    (tmp_path / "empty").mkdir()
    assert parse_source(str(tmp_path / "empty")).fingerprint() == digest()


@pytest.mark.parametrize("act", [read, lambda source: parse_source(str(source)).fingerprint()])
def test_a_source_that_is_no_source_is_explained(tmp_path, act):
    (tmp_path / "face.jpg").touch()
    os.mkfifo(tmp_path / "faces.zip")
    for missing in (tmp_path / "missing", tmp_path / "missing.zip", "", tmp_path / "face.jpg" / "below"):
        with pytest.raises(RequestError, match="does not exist: check --source"):
            act(missing)
    for other in ("face.jpg", "faces.zip"):
        with pytest.raises(
            RequestError, match="neither a folder nor an archive: pass a folder or a file whose name ends in"
        ):
            act(tmp_path / other)


@pytest.mark.parametrize("reason", [PermissionError(13, "Permission denied"), FileNotFoundError(2, "No such file")])
def test_an_archive_that_can_not_be_opened_is_named(archive, monkeypatch, reason):
    def refuse(path, *arguments):
        raise reason

    monkeypatch.setattr(Path, "open", refuse)
    for act in (read, lambda source: parse_source(source).fingerprint()):
        with pytest.raises(RequestError, match=r"faces\.tar\.gz can't be read"):
            act(str(archive))


def test_a_path_that_can_not_be_reached_is_not_visible_here(folder, monkeypatch):
    def refuse(path, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "stat", refuse)
    assert not parse_source(str(folder)).is_visible_here


def test_parsing_imports_no_reader_and_nothing_heavy():
    code = "import sys, components.sources.source as s; s.parse_source('gs://faces/UTKFace'); print(sys.modules.keys())"
    imported = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for heavy in ("numpy", "pandas", "pyarrow", "PIL", "google.cloud.storage", "components.sources.synthetic'"):
        assert f"'{heavy}" not in imported
