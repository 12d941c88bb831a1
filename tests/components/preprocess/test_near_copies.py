import io

import imagehash
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

from components.preprocess.near_copies import group_near_copies, hash_picture, shrink_picture
from components.preprocess.verification import verify_image

ORIGINAL = "25_0_0_0.jpg.chip.jpg"
EDITS = {
    "saved again": lambda image: image,
    "smaller": lambda image: image.resize((120, 120), Image.Resampling.LANCZOS),
    "larger": lambda image: image.resize((300, 300), Image.Resampling.BICUBIC),
    "cropped": lambda image: image.crop((2, 1, 199, 200)),
    "blurred": lambda image: image.filter(ImageFilter.GaussianBlur(3)),
    "darker": lambda image: ImageEnhance.Brightness(image).enhance(0.8),
    "grey": lambda image: image.convert("L"),
    "mirrored": ImageOps.mirror,
}


def as_hashes(bits):
    """Return hashes of bits, shape [faces, 256], as group_near_copies takes them."""
    return np.packbits(bits, axis=1).view(np.uint64)


def turned(rng, bits, low, high):
    """Return a hash with so many of its 64 first and 192 other bits turned."""
    copy = bits.copy()
    places = [*rng.choice(64, low, replace=False), *(64 + rng.choice(192, high, replace=False))]
    copy[places] ^= 1
    return copy


def save(image, file_format="JPEG", **options):
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


@pytest.fixture
def edited(source):
    """Give the folder of faces, one of them a soft picture with a differently saved copy of it for each edit."""
    colours = np.random.default_rng(5).integers(0, 256, (7, 7, 3), dtype=np.uint8)
    image = Image.fromarray(colours).resize((200, 200), Image.Resampling.BICUBIC)
    (source / ORIGINAL).write_bytes(save(image, quality=95))
    for name, edit in EDITS.items():
        (source / f"26_0_0_{name}.jpg").write_bytes(save(edit(image), quality=80))
    return source


def test_one_photograph_saved_differently_shares_a_group_with_no_other_picture(edited, run):
    faces = run(edited).manifest.faces.set_index("file_name")["duplicate_group"]
    copies = [ORIGINAL, *(f"26_0_0_{name}.jpg" for name in EDITS)]
    assert faces[copies].nunique() == 1
    assert faces.nunique() == len(faces) - len(EDITS)


def test_without_near_copies_only_equal_bytes_make_a_group(edited, run):
    (edited / "27_0_0_9.jpg").write_bytes((edited / ORIGINAL).read_bytes())
    faces = run(edited, near_copies=0).manifest.faces
    assert faces["duplicate_group"].equals(
        faces["content_hash"].map({h: n for n, h in enumerate(faces["content_hash"].unique())}).astype("int32")
    )


def test_near_copies_are_kept_where_copies_are_dropped_and_conflicting_labels_are_listed(source, run):
    (source / "26_0_0_9.jpg").write_bytes((source / ORIGINAL).read_bytes())
    with Image.open(source / ORIGINAL) as image:
        (source / "27_1_2_9.jpg").write_bytes(save(image, quality=80))
        (source / "26_0_4_9.jpg").write_bytes(save(image, quality=81))  # Of a class that is not used.
    outcome = run(source, duplicates="drop")
    assert outcome.reasons["26_0_0_9.jpg"] == "duplicate"
    assert outcome.summary["copies"] == {
        "groups": 1,
        "faces": 2,
        "identical": 0,
        "conflicting": 1,
        "conflicts": [{"faces": 2, "files": [ORIGINAL, "27_1_2_9.jpg"], "differ": ["gender", "ethnicity"]}],
    }
    assert run(source).summary["copies"]["identical"] == 2


def test_two_copies_of_a_face_that_is_not_used_stay_together():
    bits = np.random.default_rng(0).integers(0, 2, (1, 256), dtype=np.uint8)
    bits = bits.repeat(3, axis=0)
    bits[1, 100:130] ^= 1
    bits[2, 200:230] ^= 1
    assert len(set(group_near_copies(as_hashes(bits), 40))) == 1
    assert len(set(group_near_copies(as_hashes(bits[1:]), 40))) == 2


@pytest.mark.parametrize("most_bits", [1, 28, 40, 64])
def test_every_pair_within_the_distance_is_found_and_no_other(most_bits):
    rng = np.random.default_rng(most_bits)
    originals = rng.integers(0, 2, (300, 256), dtype=np.uint8)
    low = np.minimum(rng.integers(0, 8, 300), most_bits // 4)
    beyond = np.arange(300) % 2  # Every other copy is one bit too far away.
    copies = [
        turned(rng, bits, few, most_bits + more - few) for bits, few, more in zip(originals, low, beyond, strict=True)
    ]
    hashes = as_hashes(np.concatenate([originals, copies]))
    groups = group_near_copies(hashes, most_bits)
    assert (groups[:300] == groups[300:]).tolist() == (beyond == 0).tolist()
    assert len(set(groups)) == 450
    shuffled = rng.permutation(600)
    again = group_near_copies(hashes[shuffled], most_bits)
    assert len(set(zip(groups[shuffled], again, strict=True))) == 450


def test_a_crowd_of_pictures_without_content_is_compared_in_part_and_said(monkeypatch, caplog):
    monkeypatch.setattr("components.preprocess.near_copies._MOST_COMPARED", 2)
    bits = np.zeros((50, 256), np.uint8)
    bits[np.arange(50), 64 + np.arange(50)] = 1
    assert len(set(group_near_copies(as_hashes(bits), 40))) == 1
    assert "only 2 of each crowd were compared" in caplog.text


def test_no_pictures_have_no_groups():
    assert group_near_copies(np.zeros((0, 4), np.uint64), 40).shape == (0,)


def test_the_hash_is_that_of_the_library_on_the_whole_picture(picture):
    content = picture(3, size=(200, 200))
    with Image.open(io.BytesIO(content)) as image:
        expected = imagehash.phash(image, hash_size=16, highfreq_factor=2).hash
    bits = np.unpackbits(np.frombuffer(verify_image(content, 32, 100_000).perceptual_hash, np.uint8))
    lowest = expected[:8, :8].ravel()
    others = np.concatenate([expected[:8, 8:].ravel(), expected[8:].ravel()])
    assert bits[:64].sum() == lowest.sum()
    # The decoder makes the picture smaller in another way.
    assert (bits[:64] != lowest).sum() <= 1
    assert abs(int(bits[64:].sum()) - int(others.sum())) <= 4


@pytest.mark.parametrize("mode", ["P", "RGBA", "LA", "I;16"])
def test_the_mode_in_which_a_picture_is_stored_hardly_matters(picture, mode):
    with Image.open(io.BytesIO(picture(4))) as image:
        grey = image.convert("L")
        stored = Image.fromarray(np.asarray(grey).astype(np.uint16) << 8) if mode == "I;16" else grey.convert(mode)
    assert stored.mode == mode
    one, other = (np.frombuffer(hash_picture(shrink_picture(each)), np.uint8) for each in (stored, grey))
    assert np.bitwise_count(one ^ other).sum() <= 2
