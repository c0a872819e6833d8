"""Dates and times: their normal form, which is ISO 8601, and the parts that models can use."""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime
from functools import lru_cache
from typing import Literal, TypeAlias

from .date_spelling import full_year, usual_spelling

DateOrder: TypeAlias = Literal["YMD", "DMY", "MDY", "epoch"]

MAX_DATE_CHARACTERS = 64
# Larger numbers of seconds since 1970 are in fact milliseconds.
_MOST_SECONDS = 1e11
_FIRST_DAY = date(1970, 1, 1).toordinal()

# No two adjacent parts of the patterns can match the same characters.
_TIME = (
    r"(?:[T ]+(?P<hour>\d{1,2}):(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?"
    r" ?(?P<half>[AaPp]\.?[Mm]\.?)? ?(?P<zone>Z|UTC|[+-]\d{2}:?\d{2}|[+-]\d{2})?)?"
)
_YEAR_FIRST = re.compile(
    rf"(?P<y>\d{{4}})(?P<joint>[-/.]?)(?P<m>\d{{1,2}})(?P=joint)(?P<d>\d{{1,2}}){_TIME}", re.ASCII
)
_YEAR_LAST = re.compile(
    rf"(?P<a>\d{{1,2}})(?P<joint>[-/.])(?P<b>\d{{1,2}})(?P=joint)(?P<y>\d{{4}}|\d{{2}}){_TIME}",
    re.ASCII,
)
# A year of two digits is first only if all parts have two digits: 24-02-28.
_SHORT_YEAR_FIRST = re.compile(
    rf"(?P<y>\d{{2}})(?P<joint>[-/])(?P<m>\d{{2}})(?P=joint)(?P<d>\d{{2}}){_TIME}", re.ASCII
)
_EPOCH = re.compile(r"[+-]?\d{1,16}(?:\.\d{1,9})?", re.ASCII)


def read_moment(text: str, order: DateOrder = "YMD") -> datetime:
    """Return the date and time in a text; raises ValueError.

    A text that begins with a four-digit year or names its month means the same in each order.
    With "YMD", a year of two digits is first, too: 24-02-28 and 24/02/28 are in 2024. A month,
    week or quarter is its first day. The time is midnight if there is none; a time zone is kept.
    """
    text = text.strip()
    if len(text) > MAX_DATE_CHARACTERS:
        raise ValueError("is too long for a date")
    if order == "epoch" and _EPOCH.fullmatch(text):
        return from_epoch(float(text))
    moment = _read_usual(text, order) or _read_usual(usual_spelling(text) or "", order)
    if moment is None:
        raise ValueError("must be a date such as 2024-01-31")
    return moment


def from_epoch(number: float) -> datetime:
    """Return the moment from seconds or milliseconds since 1970, in UTC; raises ValueError."""
    try:
        seconds = number if abs(number) < _MOST_SECONDS else number / 1000
        return datetime.fromtimestamp(math.floor(seconds), UTC)
    except (OverflowError, OSError):
        raise ValueError("is not a time since 1970") from None


def _read_usual(text: str, order: DateOrder) -> datetime | None:
    """Return the moment in a text of numbers; None if it is not one in this order."""
    is_year_first = order == "YMD"
    match = _YEAR_FIRST.fullmatch(text)
    match = match or (_SHORT_YEAR_FIRST.fullmatch(text) if is_year_first else None)
    if match:
        return _moment(match, full_year(match["y"]), int(match["m"]), int(match["d"]))
    match = _YEAR_LAST.fullmatch(text)
    if match is None or order not in {"DMY", "MDY"}:
        return None
    first, second = int(match["a"]), int(match["b"])
    day, month = (first, second) if order == "DMY" else (second, first)
    return _moment(match, full_year(match["y"]), month, day)


def _moment(match: re.Match[str], year: int, month: int, day: int) -> datetime:
    try:
        hour, minute = _hour(match), int(match["minute"] or 0)
        moment = datetime(year, month, day, hour, minute, int(match["second"] or 0))  # noqa: DTZ001
    except ValueError:
        raise ValueError("is not a day of the calendar or a time of day") from None
    return _with_zone(moment, match["zone"])


def _hour(match: re.Match[str]) -> int:
    hour, half = int(match["hour"] or 0), (match["half"] or "").lower()[:1]
    if half and not 1 <= hour <= 12:  # noqa: PLR2004  hours of a half day
        raise ValueError
    return hour % 12 + (12 if half == "p" else 0) if half else hour


def _with_zone(moment: datetime, zone: str | None) -> datetime:
    if not zone:
        return moment
    if zone in {"Z", "UTC"}:
        return moment.replace(tzinfo=UTC)
    digits = zone[1:].replace(":", "").ljust(4, "0")
    return datetime.fromisoformat(f"{moment.isoformat()}{zone[0]}{digits[:2]}:{digits[2:]}")


@lru_cache(4096)
def moment_of(value: str) -> datetime:
    """Return the moment of a value in normal form: 2024-01-31 or 2024-01-31T08:00:00."""
    return datetime.fromisoformat(value)


# The parts of a date by name; numbers are in their natural unit, the others are words.
DATE_PARTS = ("days", "year", "day")
DATE_WORDS = ("month", "weekday")
TIME_WORDS = ("hour",)


def date_words(*, has_time: bool) -> tuple[str, ...]:
    """Return the names of the parts of a date that are words."""
    return DATE_WORDS + (TIME_WORDS if has_time else ())


def date_parts(value: str | None, *, has_time: bool) -> dict[str, float | str | None]:
    """Return the parts of a date by name: days since 1970, year, day, month, weekday and hour.

    The hour is there only with `has_time`. Parts of a missing date are None.
    """
    words = date_words(has_time=has_time)
    if value is None:
        return dict.fromkeys((*DATE_PARTS, *words))
    moment = moment_of(value)
    days = moment.toordinal() - _FIRST_DAY + (moment.hour * 60 + moment.minute) / 1440
    parts: dict[str, float | str | None] = {
        "days": days,
        "year": moment.year,
        "day": moment.day,
        # Two digits, so that the words sort like the numbers.
        "month": f"{moment.month:02}",
        "weekday": str(moment.isoweekday()),
    }
    if has_time:
        parts["hour"] = f"{moment.hour:02}"
    return parts


def part_name(field: str, part: str) -> str:
    """Return the name of a part of a date; no field has a point in its name."""
    return f"{field}.{part}"
