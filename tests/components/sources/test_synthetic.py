import io
import itertools
import re
import subprocess
import sys
from collections import Counter, defaultdict

import numpy as np
import pytest
from PIL import Image, UnidentifiedImageError
from pydantic import ValidationError

from components.sources.synthetic import FAULTS, generate
from components.sources.synthetic_settings import SyntheticSettings

SOUND_NAME = re.compile(r"(\d{1,3})_([01])_([0-4])_(\d{17})\.jpg\.chip\.jpg")
SETTINGS = SyntheticSettings(faces=1000, image_side=32, seed=3, smallest_cell=5)


@pytest.fixture(scope="module")
def files():
    return list(generate(SETTINGS))


@pytest.fixture(scope="module")
def labels(files):
    """(age, gender, race) of every file whose name has all fields."""
    matches = [SOUND_NAME.fullmatch(name) for name, _ in files]
    return [tuple(int(field) for field in match.groups()[:3]) for match in matches if match]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_does_not(files):
    assert list(generate(SETTINGS)) == files
    other = dict(generate(SETTINGS.model_copy(update={"seed": 4})))
    assert not {content for content in other.values() if content} & {content for _, content in files}


def test_files_stream_without_drawing_the_whole_set():
    endless = SyntheticSettings(faces=1_000_000, image_side=32)
    assert len(list(itertools.islice(generate(endless), 5))) == 5


def test_every_name_is_unique_and_only_the_fault_lacks_a_race(files):
    names = [name for name, _ in files]
    assert len(set(names)) == len(names)
    nameless = [name for name in names if not SOUND_NAME.fullmatch(name)]
    assert len(nameless) == SETTINGS.broken_files
    assert all(re.fullmatch(r"\d{1,3}_[01]_\d{17}\.jpg\.chip\.jpg", name) for name in nameless)


def test_the_number_of_files_is_that_of_faces_copies_and_faults(files):
    assert len(files) == 1000 + 16 + len(FAULTS) * 2


def test_each_kind_of_fault_occurs_as_often_as_asked(files):
    faults = Counter()
    for name, content in files:
        try:
            with Image.open(io.BytesIO(content)) as image:
                image.load()
                faults.update([image.format if image.format != "JPEG" else image.mode])
                assert image.size == (32, 32)
        except UnidentifiedImageError:
            faults.update(["empty" if not content else "unknown"])
        except OSError:
            faults.update(["truncated"])
            assert SOUND_NAME.fullmatch(name)
    assert {kind: count for kind, count in faults.items() if kind != "RGB"} == {
        "PNG": 2,
        "L": 2,
        "empty": 2,
        "truncated": 2,
    }


def test_copies_are_byte_identical_and_some_disagree_on_age_or_gender_never_on_race():
    settings = SETTINGS.model_copy(update={"duplicate_share": 0.1, "broken_files": 0})
    named = defaultdict(list)
    for name, content in generate(settings):
        named[content].append(SOUND_NAME.fullmatch(name).groups()[:3])
    pairs = [names for names in named.values() if len(names) > 1]
    assert len(pairs) == 100
    assert all(first[2] == second[2] for first, second in pairs)
    conflicts = [(int(a[0]) - int(b[0]), a[1] != b[1]) for a, b in pairs if a != b]
    assert {bool(age) for age, _ in conflicts} == {True, False}
    assert all(abs(age) > 5 or gender for age, gender in conflicts)
    assert 15 <= len(conflicts) <= 45


def test_every_cell_of_the_main_classes_up_to_80_has_enough_faces(labels):
    cells = Counter((gender, race, (age - 1) // 10) for age, gender, race in labels if race < 4 and age <= 80)
    assert len(cells) == 64
    assert min(cells.values()) >= 5


def test_the_imbalance_is_that_of_utkface(labels):
    races = Counter(race for _, _, race in labels)
    assert max(races, key=races.get) == 0
    assert races[0] > 1.5 * max(races[race] for race in (1, 2, 3))
    assert 0 < races[4] < min(races[race] for race in range(4))
    ages = np.array([age for age, _, _ in labels])
    decades = np.bincount((ages - 1) // 10)
    assert decades.argmax() == 2
    assert decades[7] < decades[2] / 3
    assert ages.min() >= 1
    assert 80 < ages.max() <= 116


def test_the_shares_can_be_set():
    even = SyntheticSettings(
        faces=1000, image_side=16, smallest_cell=0, class_shares=(0, 0, 1, 1, 0), female_share=1, duplicate_share=0
    )
    matches = [SOUND_NAME.fullmatch(name) for name, _ in generate(even)]
    assert {match.group(2) for match in matches if match} == {"1"}
    counts = Counter(match.group(3) for match in matches if match)
    assert set(counts) == {"2", "3"}
    assert abs(counts["2"] - counts["3"]) < 150


def _mean_hues(race: int, ambiguity: float) -> np.ndarray:
    settings = SyntheticSettings(faces=700, image_side=32, ambiguity=ambiguity, broken_files=0)
    hues = []
    for name, content in generate(settings):
        if int(SOUND_NAME.fullmatch(name).group(3)) == race:
            corner = np.asarray(Image.open(io.BytesIO(content)).convert("HSV"))[:4]
            hues.append(np.median(corner[..., 0]) / 255)
    return np.array(hues)


def test_without_ambiguity_the_rare_class_and_the_majority_part_and_with_it_they_overlap():
    assert _mean_hues(0, 0.0).max() < _mean_hues(2, 0.0).min()
    assert _mean_hues(0, 1.0).max() > _mean_hues(2, 1.0).min()


def test_no_background_has_the_hue_of_skin():
    for race in range(5):
        hues = _mean_hues(race, 3.0)
        assert hues.min() > 0.2
        assert hues.max() < 0.95


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"faces": 100}, "set faces to 384 or more"),
        ({"class_shares": (0, 0, 0, 0, 0)}, "set at least one of them above 0"),
        ({"age_shares": (1, 1)}, "at least 9 items"),
        ({"female_share": 1.5}, "less than or equal to 1"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_impossible_settings_are_refused(values, message):
    with pytest.raises(ValidationError, match=message):
        SyntheticSettings(**values)


def test_settings_survive_the_trip_through_a_kfp_parameter():
    parameter = {key: float(value) if type(value) is int else value for key, value in SETTINGS.to_parameter().items()}
    assert SyntheticSettings.from_parameter(parameter) == SETTINGS


def test_the_settings_import_neither_numpy_nor_pillow():
    code = "import sys, components.sources.synthetic_settings; print({'numpy', 'PIL'} & set(sys.modules))"
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "set()"
