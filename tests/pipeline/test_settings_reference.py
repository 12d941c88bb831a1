"""What can be set: the list, the page in docs/ and the file to start from say what the sections say."""

import pytest

from pipeline.settings import load_settings, presets
from pipeline.settings_reference import list_settings, settings_page


def test_the_page_is_current(project):
    page = (project / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "docs/settings.md is not current: run make settings"


def test_every_setting_has_a_meaning_and_a_type():
    entries = list_settings()
    assert len(entries) > 150
    assert [entry.path for entry in entries if not entry.meaning or entry.kind == "value"] == []


def test_a_section_is_listed_and_an_unknown_one_is_refused_with_the_nearest(command):
    shown = command("settings", "tune.trials")
    assert shown.code == 0
    assert shown.out.splitlines() == [
        "tune.trials  whole number, at least 1, default 20",
        "    Total number of trials, including the initial points.",
    ]
    refused = command("settings", "tune.trails")
    assert refused.code == 2
    assert "There is no setting 'tune.trails' (did you mean 'tune.trials'?)" in refused.sentence


@pytest.mark.parametrize("preset", presets())
def test_the_file_of_a_preset_is_the_preset_and_is_never_written_over(command, tmp_path, preset):
    path = tmp_path / "own.yaml"
    assert command("init", preset, "-o", path).code == 0
    assert load_settings(preset, str(path)) == load_settings(preset)
    content = path.read_text()
    assert "# Maximum number of epochs of a training run." in content
    refused = command("init", preset, "-o", path)
    assert (refused.code, path.read_text()) == (2, content)
