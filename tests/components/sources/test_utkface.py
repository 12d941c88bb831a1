import pytest

from components.dataset.reasons import FAULTS, Reason
from components.sources.face_labels import FaceLabels
from components.sources.utkface import parse_name


@pytest.mark.parametrize(
    "name",
    ["26_1_2_20170116174525125.jpg.chip.jpg", "26_1_2_20170116174525125.jpg", "UTKFace/a.b/26_1_2_x.PNG"],
)
def test_a_utkface_name_gives_age_gender_and_race(name):
    assert parse_name(name, 116) == FaceLabels(26, 1, 2)


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("39_1_20170116174525125.jpg.chip.jpg", Reason.MISSING_FIELD),
        ("26__2_20170116.jpg", Reason.MISSING_FIELD),
        ("26_1_2_.jpg", Reason.MISSING_FIELD),
        ("portrait.jpg", Reason.MISSING_FIELD),
        ("26_1_2_3_20170116.jpg", Reason.EXTRA_FIELD),
        ("old_1_2_20170116.jpg", Reason.NON_NUMERIC_FIELD),
        ("-5_1_2_20170116.jpg", Reason.NON_NUMERIC_FIELD),
        ("26_f_2_20170116.jpg", Reason.NON_NUMERIC_FIELD),
        ("٢٦_1_2_20170116.jpg", Reason.NON_NUMERIC_FIELD),
        ("26_2_2_20170116.jpg", Reason.UNKNOWN_GENDER),
        ("26_1_5_20170116.jpg", Reason.UNKNOWN_RACE),
        ("0_1_2_20170116.jpg", Reason.IMPLAUSIBLE_AGE),
        ("300_1_2_20170116.jpg", Reason.IMPLAUSIBLE_AGE),
        ("117_1_2_20170116.jpg", Reason.IMPLAUSIBLE_AGE),
    ],
)
def test_every_other_name_is_rejected_with_its_own_reason(name, reason):
    assert parse_name(name, 116).reason is reason


def test_the_oldest_plausible_age_is_a_setting():
    assert parse_name("120_0_0_1.jpg", 122) == FaceLabels(120, 0, 0)


@pytest.mark.parametrize(
    ("name", "outputs", "labels"),
    [
        ("26_7_2_1.jpg", ("age", "ethnicity"), FaceLabels(26, 0, 2)),
        ("26__2_1.jpg", ("age", "ethnicity"), FaceLabels(26, 0, 2)),
        ("999_1_2_1.jpg", ("gender", "ethnicity"), FaceLabels(1, 1, 2)),
        ("old_x_2_1.jpg", ("ethnicity",), FaceLabels(1, 0, 2)),
    ],
)
def test_the_field_of_an_output_that_is_off_is_not_read(name, outputs, labels):
    assert parse_name(name, 116, outputs=outputs) == labels
    assert parse_name(name, 116).reason in FAULTS
