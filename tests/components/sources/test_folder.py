import os
import shutil
import subprocess

import pytest

from components.dataset.reasons import Fault, Reason
from components.errors import DataError
from components.sources.folder import list_folder
from components.sources.limits import SourceLimits


@pytest.fixture
def folder(tmp_path):
    source = tmp_path / "faces"
    (source / "more").mkdir(parents=True)
    for name in ("b.jpg", "a.PNG", "more/c.jpeg"):
        (source / name).write_bytes(name.encode())
    return source


def read(folder, **limits):
    return {file.name: file.read() for file in list_folder(folder, SourceLimits(**limits))}


def test_files_come_in_the_order_of_names_from_every_depth(folder):
    assert [(name, file.content) for name, file in read(folder).items()] == [
        ("a.PNG", b"a.PNG"),
        ("b.jpg", b"b.jpg"),
        ("more/c.jpeg", b"more/c.jpeg"),
    ]


def test_links_are_read_only_where_they_stay_inside(folder, tmp_path):
    (tmp_path / "secret.jpg").write_bytes(b"secret")
    (folder / "inside.jpg").symlink_to(folder / "b.jpg")
    (folder / "outside.jpg").symlink_to(tmp_path / "secret.jpg")
    (folder / "nowhere.jpg").symlink_to(folder / "gone.jpg")
    (folder / "loop").symlink_to(folder)
    files = read(folder)
    assert files["inside.jpg"].content == b"b.jpg"
    for name in ("outside.jpg", "nowhere.jpg", "loop"):
        assert files[name].fault.reason is Reason.NOT_REGULAR
        assert files[name].content == b""


def test_a_pipe_is_rejected_and_never_opened(folder):
    os.mkfifo(folder / "pipe.jpg")
    assert read(folder)["pipe.jpg"].fault.reason is Reason.NOT_REGULAR


def test_hidden_and_other_files_are_listed(folder):
    (folder / ".DS_Store").touch()
    (folder / "notes.txt").touch()
    files = read(folder)
    assert files[".DS_Store"].fault.reason is Reason.SYSTEM_FILE
    assert files["notes.txt"].fault.reason is Reason.OTHER_FILE


def test_a_large_file_is_rejected_alone(folder):
    (folder / "b.jpg").write_bytes(bytes(3000))
    files = read(folder, max_file_megabytes=0.001)
    assert files["b.jpg"].fault.reason is Reason.TOO_LARGE
    assert files["a.PNG"].fault is None


def test_what_can_not_be_read_is_rejected_alone(folder):
    listed = {file.name: file for file in list_folder(folder, SourceLimits())}
    (folder / "b.jpg").unlink()
    (folder / "b.jpg").mkdir()
    assert listed["b.jpg"].read().fault == Fault(Reason.UNREADABLE, "Is a directory")
    assert listed["a.PNG"].read().fault is None


def test_a_source_that_vanishes_while_it_is_read_fails_as_that(folder):
    listed = {file.name: file for file in list_folder(folder, SourceLimits())}
    shutil.rmtree(folder)
    with pytest.raises(DataError, match=r"changed while it was being read: 'b.jpg' is gone: leave the source"):
        listed["b.jpg"].read()


def test_a_file_that_grew_since_it_was_listed_keeps_to_the_limit(folder):
    listed = {file.name: file for file in list_folder(folder, SourceLimits(max_file_megabytes=0.001))}
    (folder / "b.jpg").write_bytes(bytes(3000))
    assert listed["b.jpg"].read().fault.reason is Reason.TOO_LARGE


def test_names_with_line_ends_and_escape_codes_are_made_printable(folder):
    (folder / "30_0_0_1\nDataError: forged\x1b[31m.jpg").write_bytes(b"x")
    assert "30_0_0_1\\nDataError: forged\\x1b[31m.jpg" in read(folder)


def test_folders_may_be_nested_deeper_than_functions(folder):
    deep, here = 1200, os.open(folder, os.O_RDONLY)
    for _ in range(deep):
        os.mkdir("d", dir_fd=here)
        below = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = below
    os.close(here)
    try:
        assert set(read(folder)) == {"a.PNG", "b.jpg", "more/c.jpeg"}
    finally:
        subprocess.run(["rm", "-rf", folder / "d"], check=True)  # Python's own removal is a recursive function.


def test_a_folder_inside_that_can_not_be_listed_is_rejected_alone(folder, monkeypatch):
    def refuse(path, scan=os.scandir):
        if str(path).endswith("more"):
            raise PermissionError(13, "Permission denied")
        return scan(path)

    monkeypatch.setattr(os, "scandir", refuse)
    files = read(folder)
    assert files["more"].fault == Fault(Reason.UNREADABLE, "the folder can't be listed: Permission denied")
    assert files["b.jpg"].fault is None
