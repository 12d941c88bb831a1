"""Cron expressions, time zones and the next times."""

from datetime import UTC, datetime

import pytest

from components.errors import RequestError
from pipeline.platforms.schedules import Schedule, check_cron, show_times


def times(cron, timezone, after, count=3):
    return [f"{time:%m-%d %H:%M %z}" for time in Schedule("weekly", cron, timezone).next_times(after, count)]


def test_the_next_times_are_in_the_schedules_zone():
    after = datetime(2026, 1, 5, 12, tzinfo=UTC)  # A Monday.
    assert times("30 3 * * MON", "America/New_York", after) == [
        "01-12 03:30 -0500",
        "01-19 03:30 -0500",
        "01-26 03:30 -0500",
    ]


def test_the_hour_stays_when_the_clocks_change():
    after = datetime(2026, 3, 28, 12, tzinfo=UTC)  # Clocks in Paris go forward on the 29th.
    assert times("0 6 * * *", "Europe/Paris", after, 2) == ["03-29 06:00 +0200", "03-30 06:00 +0200"]


def test_times_are_shown_in_both_zones():
    shown = show_times(Schedule("weekly", "30 0 * * *", "Europe/Paris").next_times(datetime(2026, 7, 1, tzinfo=UTC), 1))
    assert shown == ["Thu 2026-07-02 00:30 CEST (Wed 22:30 UTC)"]


@pytest.mark.parametrize("cron", ["0 3 * * 1", "*/15 8-18/2 1,15 jan-mar mon-fri", "0 0 1 * *", "5-10,20 * * * *"])
def test_a_portable_expression_is_accepted(cron):
    assert check_cron(f"  {cron} ") == cron.upper()


@pytest.mark.parametrize(
    ("cron", "fault"),
    [
        ("0 3 * *", "has 4 fields, not 5"),
        ("0 0 3 * * 1", "has 6 fields, not 5"),
        ("@daily", "has 1 fields, not 5"),
        ("60 3 * * *", "'60' as its minute"),
        ("0 24 * * *", "'24' as its hour"),
        ("0 3 0 * *", "'0' as its day of month"),
        ("0 3 * 13 *", "'13' as its month"),
        ("0 3 * * 7", "'7' as its day of week"),
        ("0 3 * * FRI-MON", "'FRI-MON' as its day of week"),
        ("0 3 L * *", "'L' as its day of month"),
        ("5/15 * * * *", "'5/15' as its minute"),
        ("*/0 * * * *", "'*/0' as its minute"),
        ("0 3 * * ?", "'?' as its day of week"),
        ("0,, 3 * * *", "'' as its minute"),
    ],
)
def test_an_expression_that_platforms_read_differently_is_refused(cron, fault):
    with pytest.raises(RequestError) as refused:
        check_cron(cron)
    assert fault in str(refused.value)


def test_a_day_that_never_comes_is_refused():
    with pytest.raises(RequestError, match="never fires"):
        Schedule("weekly", "0 3 30 2 *", "UTC").next_times(datetime(2026, 1, 1, tzinfo=UTC))


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"name": "Weekly run"}, "can't be the name of a schedule"),
        ({"timezone": "Europe/Pariss"}, "is not a time zone"),
        ({"timezone": "../etc/passwd"}, "is not a time zone"),
        ({"max_concurrency": 0}, "choose 1 to 10"),
        ({"max_concurrency": 11}, "choose 1 to 10"),
    ],
)
def test_a_wrong_value_is_refused(values, fault):
    right = {"name": "weekly", "cron": "0 3 * * 1", "timezone": "UTC"}
    with pytest.raises(RequestError, match=fault):
        Schedule(**{**right, **values})
