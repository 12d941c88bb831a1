"""Pictures of faces: only those that are shown, small, and only where the settings allow it."""

import base64
import io

import numpy as np
from PIL import Image

from components.compare.contract import Face, Gallery
from components.compare.galleries import draw_pictures
from components.dataset.shards import ShardWriter
from tests.components.compare.comparisons import FACE
from tests.components.pictures import encode_picture


def test_only_the_faces_of_the_galleries_are_drawn_and_small(make_manifest, tmp_path):
    manifest = make_manifest(4)
    with ShardWriter(tmp_path / "images", shard_bytes=1 << 20) as shards:
        places = [
            shards.add(image_id, encode_picture(place, size=(300, 200)))
            for place, image_id in enumerate(manifest.faces["image_id"])
        ]
    manifest.faces["shard"] = [shard for shard, _ in places]
    manifest.faces["row"] = np.array([row for _, row in places], np.int32)
    shown = manifest.faces["image_id"].iloc[2]
    faces = [Face(**FACE | {"image_id": shown})]
    gallery = Gallery(kind="best", variant="ins", seed=1, faces=faces, reference=[])
    pictures = draw_pictures([gallery, gallery], tmp_path / "images", manifest)
    assert list(pictures) == [shown]
    with Image.open(io.BytesIO(base64.b64decode(pictures[shown]))) as picture:
        assert (picture.format, picture.size) == ("JPEG", (96, 64))
