import pytest

from components.dataset.labels import Labels
from components.errors import ArtifactError
from components.gates.champion import find_reasons, read_champion, reference_profile
from components.recommend.contract import RecommendedModel
from tests.components.gates.test_gates import make_profile


def record(**facts):
    made_from = {"source_fingerprint": "faces", "settings_digest": "settings", "code": "image"} | facts
    return RecommendedModel(
        standing="kept", because="", fingerprint="data", labels=Labels(), network=None, **made_from
    )  # fmt: skip


def test_a_champion_is_read_from_its_folder_and_a_missing_one_is_none(tmp_path):
    assert reference_profile(str(tmp_path / "nowhere")) is None
    assert read_champion(str(tmp_path / "nowhere")) is None
    record().write(tmp_path)
    make_profile(100).write(tmp_path / "data_profile.json")
    assert reference_profile(f"{tmp_path}/") == reference_profile(f"{tmp_path}/data_profile.json") == make_profile(100)
    assert read_champion(str(tmp_path)) == record()
    assert read_champion(f"{tmp_path}/data_profile.json") is None


@pytest.mark.parametrize("content", ["{", '{"faces": 3}'])
def test_a_damaged_profile_is_an_error_and_no_missing_champion(tmp_path, content):
    (tmp_path / "data_profile.json").write_text(content)
    with pytest.raises(ArtifactError, match=r"data_profile\.json"):
        reference_profile(str(tmp_path))


def test_the_reasons_to_train_are_what_differs():
    now = ("faces", "settings", "image")
    assert find_reasons(record(), *now) == []
    assert find_reasons(None, *now) == ["there is no champion"]
    assert find_reasons(record(), "more faces", "settings", "image") == ["the source differs from the champion's"]
    assert find_reasons(record(code="old", settings_digest=""), *now) == [
        "the champion does not say the settings", "the code differs from the champion's"
    ]  # fmt: skip
