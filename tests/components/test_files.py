import os
from pathlib import Path

import pytest

from components.errors import ArtifactError
from components.files import atomic_path, is_holder, read_json, write_json


def test_what_was_written_is_read_and_nothing_else_is_left(tmp_path):
    write_json(tmp_path / "new" / "facts", {"b": [1, None], "a": "é"})
    assert read_json(tmp_path / "new" / "facts") == {"b": [1, None], "a": "é"}
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["facts"]


def test_a_failed_write_leaves_what_was_there(tmp_path):
    write_json(tmp_path / "facts", "old")
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(tmp_path / "facts", float("nan"))
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "facts"):
        """Nothing is written to the draft."""
    assert read_json(tmp_path / "facts") == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["facts"]


def test_a_directory_takes_the_place_of_one_that_is_there(tmp_path):
    (tmp_path / "images").mkdir()
    (tmp_path / "images" / "old").touch()
    with atomic_path(tmp_path / "images") as draft:
        draft.mkdir()
        (draft / "new").touch()
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["new"]


def test_all_of_it_is_on_the_disk_before_it_has_its_name(tmp_path, monkeypatch):
    flushed = []

    def fsync(descriptor):
        name = Path(f"/proc/self/fd/{descriptor}").readlink().name
        flushed.append((name, (tmp_path / "images").exists()))

    monkeypatch.setattr(os, "fsync", fsync)
    with atomic_path(tmp_path / "images") as draft:
        (draft / "inner").mkdir(parents=True)
        (draft / "inner" / "shard").touch()
    assert sorted(flushed[:-1]) == [("images", False), ("inner", False), ("shard", False)]
    assert flushed[-1] == (tmp_path.name, True)


def test_what_a_killed_writer_left_is_told_from_a_folder_of_somebodys_own(tmp_path):
    with atomic_path(tmp_path / "facts") as draft:
        assert is_holder(draft.parent)
        draft.touch()
        assert is_holder(draft.parent)
        (draft.parent / "other").touch()
        assert not is_holder(draft.parent)
        (draft.parent / "other").unlink()
    (tmp_path / ".venv.mine").mkdir()
    assert not is_holder(tmp_path / ".venv.mine")
    assert not is_holder(tmp_path)


def test_a_missing_file_and_one_that_is_not_json_are_explained(tmp_path):
    with pytest.raises(ArtifactError, match="facts does not exist: rerun the stage that writes it"):
        read_json(tmp_path / "facts")
    (tmp_path / "facts").write_text("{")
    with pytest.raises(ArtifactError, match="facts is not JSON"):
        read_json(tmp_path / "facts")
