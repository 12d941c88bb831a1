import pytest

from components.errors import ArtifactError
from components.files import atomic_path, read_json, write_json


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


def test_a_missing_file_and_one_that_is_not_json_are_explained(tmp_path):
    with pytest.raises(ArtifactError, match="facts does not exist: rerun the stage that writes it"):
        read_json(tmp_path / "facts")
    (tmp_path / "facts").write_text("{")
    with pytest.raises(ArtifactError, match="facts is not JSON"):
        read_json(tmp_path / "facts")
