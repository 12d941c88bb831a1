"""Digests: what was changed, lost or added since is named."""

import hashlib

import pytest

from components.digests import digest_of, verify_digests, write_digests
from components.errors import ArtifactError


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "variables").mkdir()
    (tmp_path / "saved_model.pb").write_bytes(b"graph")
    (tmp_path / "variables" / "data").write_bytes(b"weights")
    return tmp_path


def test_they_are_the_sha256_of_every_other_file_and_can_be_written_again(folder):
    digests = write_digests(folder)
    assert digests == {
        "saved_model.pb": hashlib.sha256(b"graph").hexdigest(),
        "variables/data": hashlib.sha256(b"weights").hexdigest(),
    }
    assert verify_digests(folder) == write_digests(folder) == digests


@pytest.mark.parametrize(
    ("harm", "sentence"),
    [
        (lambda folder: (folder / "saved_model.pb").write_bytes(b"grabh"), "saved_model.pb was changed since"),
        (lambda folder: (folder / "variables" / "data").unlink(), "variables/data is missing since"),
        (lambda folder: (folder / "assets").write_bytes(b""), "assets was added since"),
        (lambda folder: (folder / "digests.json").unlink(), "digests.json does not exist"),
        (lambda folder: (folder / "digests.json").write_text("[1]"), "digests.json holds no digests"),
    ],
)
def test_what_no_longer_matches_is_named(folder, harm, sentence):
    write_digests(folder)
    harm(folder)
    with pytest.raises(ArtifactError, match=sentence):
        verify_digests(folder)


def test_a_file_has_its_sha256_and_a_folder_that_of_the_listing_that_sha256sum_prints(tmp_path):
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "c").write_bytes(b"second")
    (tmp_path / "a").write_bytes(b"first")
    assert digest_of(tmp_path / "a") == hashlib.sha256(b"first").hexdigest()
    listing = "".join(
        f"{hashlib.sha256(content).hexdigest()}  {name}\n" for name, content in (("a", b"first"), ("b/c", b"second"))
    )
    assert digest_of(tmp_path) == hashlib.sha256(listing.encode()).hexdigest()


def test_every_byte_and_every_name_counts(tmp_path):
    (tmp_path / "a").write_bytes(b"first")
    before = digest_of(tmp_path)
    (tmp_path / "a").rename(tmp_path / "b")
    assert digest_of(tmp_path) != before
    (tmp_path / "b").rename(tmp_path / "a")
    assert digest_of(tmp_path) == before
    (tmp_path / "a").write_bytes(b"First")
    assert digest_of(tmp_path) != before
    with pytest.raises(FileNotFoundError):
        digest_of(tmp_path / "missing")
