import pytest
from pydantic import ValidationError

from components.preprocess.settings import PreprocessSettings


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"drop_ethnicities": ["Martian"]}, "unknown class 'Martian': choose from White, Black"),
        ({"undersample": {"asian": 0.5}}, "unknown class 'asian'"),
        ({"undersample": {"Other": 0.5}}, "which drop_ethnicities drops"),
        ({"undersample": {"Asian": 1.0}}, "undersample.Asian is 1: set a fraction of at least 0 and below 1"),
        ({"drop_ethnicities": ["White", "Black", "Indian", "Other"]}, "fewer than two classes"),
        ({"ethnicities": ["Oak", "Elm"]}, "'Other': choose from Oak, Elm, or name none"),
        ({"ethnicities": ["Oak", "Oak"], "drop_ethnicities": []}, "ethnicities names a class twice: name each once"),
        ({"genders": ["man", " woman"]}, "genders has the name ' woman': use printable names"),
        ({"ethnicities": [str(code) for code in range(128)]}, "ethnicities names 128 classes: name at most 127"),
        ({"max_age": 2000, "max_plausible_age": 2000}, "200 age bins of 10: raise age_bin_width to 16 or more"),
        ({"table": {"age": "image"}}, "two labels are read from one column"),
        ({"max_age": 120}, "above max_plausible_age 116"),
        ({"duplicates": "merge"}, "'keep', 'group' or 'drop'"),
        ({"droop": 1}, "Extra inputs are not permitted"),
    ],
)
def test_impossible_settings_are_refused_with_a_reason(settings, message):
    with pytest.raises(ValidationError, match=message):
        PreprocessSettings(**settings)


def test_settings_survive_the_trip_through_a_kfp_parameter():
    settings = PreprocessSettings(undersample={"Black": 0.5}, max_age=70)
    as_struct = settings.to_parameter() | {"max_age": 70.0, "seed": 0.0}
    assert PreprocessSettings.from_parameter(as_struct) == settings


def test_every_setting_is_described():
    assert all(field.description for field in PreprocessSettings.model_fields.values())
