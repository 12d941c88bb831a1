import os

import numpy as np
import pyarrow.parquet as pq
import pytest

from components.dataset.images import read_encoded
from components.dataset.shards import ShardWriter
from components.errors import ArtifactError


@pytest.fixture
def packed(tmp_path, make_manifest):
    """Return shards, their manifest and the contents in the manifest's order."""
    manifest = make_manifest(50)
    contents = [os.urandom(200_000 + row) for row in range(50)]
    with ShardWriter(tmp_path / "images", shard_bytes=5 << 20) as shards:
        places = [shards.add(name, content) for name, content in zip(manifest.faces["image_id"], contents, strict=True)]
    manifest.faces[["shard", "row"]] = places
    return tmp_path / "images", manifest, contents


def test_images_come_back_byte_for_byte_from_several_shards(packed):
    images, manifest, contents = packed
    assert list(read_encoded(images, manifest)) == contents
    assert len(list(images.iterdir())) == 2


def test_a_shard_holds_about_as_much_as_asked_for_in_small_row_groups(packed):
    images, _, contents = packed
    first = pq.ParquetFile(images / "images-00000.parquet").metadata
    assert first.num_row_groups > 1
    assert sum(map(len, contents[: first.num_rows])) <= 5 << 20
    assert sum(map(len, contents[: first.num_rows + 1])) > 5 << 20


def test_images_come_in_the_order_of_the_manifest(packed):
    images, manifest, contents = packed
    order = np.random.default_rng(0).permutation(50)[:20]
    manifest = manifest.subset(np.arange(50))
    shuffled = type(manifest)(manifest.faces.iloc[order].reset_index(drop=True), manifest.labels, "")
    assert list(read_encoded(images, shuffled)) == [contents[row] for row in order]


def test_shards_of_another_run_are_noticed(packed):
    images, manifest, _ = packed
    manifest.faces.loc[7, "image_id"] = "someone-else"
    with pytest.raises(ArtifactError, match="so they come from different runs: run preprocess again"):
        list(read_encoded(images, manifest))


def test_missing_and_damaged_shards_are_named(packed):
    images, manifest, _ = packed
    (images / "images-00001.parquet").write_bytes(b"no parquet")
    with pytest.raises(ArtifactError, match=r"images-00001\.parquet is damaged"):
        list(read_encoded(images, manifest))
    (images / "images-00001.parquet").unlink()
    with pytest.raises(ArtifactError, match=r"images-00001\.parquet does not exist: run preprocess again"):
        list(read_encoded(images, manifest))


def test_a_row_beyond_the_shard_is_named(packed):
    images, manifest, _ = packed
    manifest.faces.loc[49, "row"] = 1000
    with pytest.raises(ArtifactError, match="the manifest names row 1000"):
        list(read_encoded(images, manifest))
