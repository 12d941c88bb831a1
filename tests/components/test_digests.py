import hashlib

import pytest

from components.digests import digest_of


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
