"""Schedules in terms of no particular platform: cron, time zone, concurrency, next times."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from croniter import croniter
from croniter.croniter import CroniterError

from components.errors import RequestError

_NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_FIELDS = (("minute", 0, 59), ("hour", 0, 23), ("day of month", 1, 31), ("month", 1, 12), ("day of week", 0, 6))
_MONTHS = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
_DAYS = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")
_WORDS = {"month": {name: i + 1 for i, name in enumerate(_MONTHS)}, "day of week": {n: i for i, n in enumerate(_DAYS)}}
_TERM = re.compile(r"(?P<first>\*|\w+)(-(?P<last>\w+))?(/(?P<step>\d+))?")


@dataclass(frozen=True)
class Schedule:
    """When runs start by themselves. Missed runs are never made up for.

    Attributes:
        name: Identity of the schedule on its platform: lower-case letters, digits and hyphens.
        cron: Minute, hour, day of month, month, day of week.
        timezone: IANA name of the zone that `cron` is read in.
        max_concurrency: Runs of this schedule that may be in flight at once, 1 to 10.

    Raises:
        RequestError: If a value is invalid, naming it and a valid one.
    """

    name: str
    cron: str
    timezone: str
    max_concurrency: int = 1

    def __post_init__(self) -> None:
        """Check every value."""
        if not _NAME.fullmatch(self.name):
            raise RequestError(
                f"'{self.name}' can't be the name of a schedule",
                remedy=(
                    "use at most 63 lower-case letters, digits and hyphens, "
                    "beginning with a letter, such as weekly-retraining"
                ),
            )
        if not 1 <= self.max_concurrency <= 10:
            raise RequestError(f"--max-concurrency {self.max_concurrency} is out of range", remedy="choose 1 to 10")
        zone(self.timezone)
        object.__setattr__(self, "cron", check_cron(self.cron))

    def next_times(self, after: datetime, count: int = 3) -> list[datetime]:
        """Return the next times at which a run starts, all later than a zone-aware time, in the schedule's zone.

        Raises:
            RequestError: If the expression names a day that never comes.
        """
        times = croniter(self.cron, after.astimezone(zone(self.timezone)), ret_type=datetime)
        try:
            return [times.get_next(datetime) for _ in range(count)]
        except CroniterError:
            raise RequestError(
                f"The cron expression '{self.cron}' never fires", remedy="name a day that exists"
            ) from None


@dataclass(frozen=True)
class ScheduleState:
    """A schedule as its platform knows it.

    Attributes:
        schedule: When it fires.
        identifier: The platform's own identifier.
        paused: Whether it starts no runs for now.
        specification: `Submission.specification` of what was applied last.
        note: What else a user should know, or empty.
    """

    schedule: Schedule
    identifier: str
    paused: bool
    specification: str
    note: str = ""


def zone(name: str) -> ZoneInfo:
    """Return a time zone.

    Raises:
        RequestError: If there is no zone of this name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise RequestError(
            f"'{name}' is not a time zone", remedy="use an IANA name such as UTC or Europe/Paris"
        ) from None


def check_cron(expression: str) -> str:
    """Return a cron expression in the form that every platform reads the same way, with single spaces.

    Seven for Sunday, ranges that wrap around, ``@daily`` and the like mean different things, or
    nothing, to different cron parsers, so they are refused here.

    Raises:
        RequestError: If a field is invalid, naming it.
    """
    fields = expression.split()
    if len(fields) != len(_FIELDS):
        raise RequestError(
            f"The cron expression '{expression}' has {len(fields)} fields, not 5",
            remedy=(
                "write minute, hour, day of month, month and day of week, such as '0 3 * * 1' for Mondays at three"
            ),
        )
    for text, (name, low, high) in zip(fields, _FIELDS, strict=True):
        for term in text.split(","):
            if not _term_is_valid(term, name, low, high):
                raise RequestError(
                    f"The cron expression '{expression}' has '{term}' as its {name}",
                    remedy=f"write *, a number from {low} to {high}, an ascending range such as {low}-{high}, "
                    "or a step as in */2",
                )
    return " ".join(field.upper() for field in fields)


def _term_is_valid(term: str, name: str, low: int, high: int) -> bool:
    match = _TERM.fullmatch(term)
    if match is None:
        return False
    if match["first"] == "*":
        return match["last"] is None and (match["step"] is None or int(match["step"]) > 0)
    numbers = [_number(match[part], name) for part in ("first", "last") if match[part]]
    if not all(number is not None and low <= number <= high for number in numbers):
        return False
    # Some parsers read "5/15" as 5 alone, others as every 15th from 5 on.
    stepped = match["step"] is None or (match["last"] is not None and int(match["step"]) > 0)
    return stepped and sorted(numbers, key=lambda number: number or 0) == numbers


def _number(text: str, field: str) -> int | None:
    word = _WORDS.get(field, {}).get(text.upper())
    return word if word is not None else int(text) if text.isdecimal() else None


def show_times(times: list[datetime]) -> list[str]:
    """Return times as text, in their own zone and in UTC."""
    return [f"{time:%a %Y-%m-%d %H:%M %Z} ({time.astimezone(UTC):%a %H:%M} UTC)" for time in times]
