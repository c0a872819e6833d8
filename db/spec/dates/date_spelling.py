"""Rewrite the many spellings of a date, such as `3. Januar 2023 um 10h15`, as 2023-01-03 10:15."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

from .month_names import fold, month_number

# The patterns are for folded text of bounded length. Each of their parts is bounded, too.
_MONTH = r"(?P<m>[a-z]{3,10})\.?"
_DAY = r"(?P<d>\d{1,2})(?:\.|er|st|nd|rd|th|o)?"
_YEAR = r"(?P<y>\d{4}|\d{2})"
_CENTURY_YEAR = r"(?P<y>(?:19|20)\d{2})"
_ZONE = r"(?P<zone>z|(?:utc|gmt)?[+-]\d{2}:?\d{2}|[+-]\d{2}|utc|gmt)"
_CLOCK = re.compile(
    r"(?P<day>.{6,40}?)(?:(?:,| -)? (?:(?:um|at|a|as|om|alle|ore|kl\.?) )?|[t:])"
    r"(?P<hour>\d{1,2})(?:(?::| ?h ?)(?P<minute>\d{2})(?::(?P<second>\d{2})(?:[.,]\d{1,9})?)?| ?h)"
    rf"(?: uhr| h)?(?: ?(?P<half>[ap])\.?m\.?)? ?{_ZONE}?",
    re.ASCII,
)
# Without colons: 20230118T101500Z.
_COMPACT = re.compile(
    r"(?P<day>\d{8}|\d{4}-\d{2}-\d{2})t(?P<hour>\d{2})(?P<minute>\d{2})"
    rf"(?:(?P<second>\d{{2}})(?:[.,]\d{{1,9}})?)?(?P<half>){_ZONE}?",
    re.ASCII,
)
# As the C library and Twitter write it: Tue Jan 03 10:00:00 +0000 2023.
_TIME_IN_DATE = re.compile(
    rf"[a-z]{{3}} (?P<date>[a-z]{{3}} \d{{1,2}}) (?P<time>\d{{2}}:\d{{2}}:\d{{2}})(?: {_ZONE})?"
    r" (?P<y>\d{4})",
    re.ASCII,
)
_NUMERIC = re.compile(r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{8}", re.ASCII)
_WEEKDAY = re.compile(r"(?P<name>[a-z]{2,9}(?:-feira)?)(?P<mark>\.,?|,)? ")
_NAMED = [
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"{_DAY}(?: (?:de |of )?|[/-])?{_MONTH}(?: (?:de |del )?|, |[/-])?'?{_YEAR}",
        rf"{_MONTH}[ -](?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:, ?|[ -]){_YEAR}",
        rf"(?P<y>\d{{4}})[ /-]{_MONTH}[ /-](?P<d>\d{{1,2}})",
    )
]
# A month, a week or a quarter is its first day. `Jan 15` is not a month: it may be a day.
_MONTHS = [
    re.compile(pattern, re.ASCII)
    for pattern in (
        rf"{_CENTURY_YEAR}[-/](?P<m>\d{{2}})",
        rf"(?P<m>\d{{1,2}})[-/]{_CENTURY_YEAR}",
        rf"{_MONTH}(?: (?:de |del )?|, |[/-]){_CENTURY_YEAR}",
        rf"{_MONTH} ?[-'’](?P<y>\d{{2}})",
        rf"{_CENTURY_YEAR}[ /-]{_MONTH}",
    )
]
_WEEK = re.compile(rf"{_CENTURY_YEAR}-?w(?P<w>\d{{2}})(?:-?(?P<d>[1-7]))?", re.ASCII)
_QUARTER = re.compile(
    rf"{_CENTURY_YEAR}[ /-]?q(?P<q>[1-4])|q(?P<q2>[1-4])[ /-]?(?P<y2>(?:19|20)\d{{2}})", re.ASCII
)
_WEEKDAYS = (
    *("mo", "tu", "we", "th", "fr", "sa", "su", "di", "mi", "do", "so", "lu", "ma", "me", "je"),
    *("ve", "gi", "ju", "vi", "se", "te", "qu", "wo", "vr", "za", "zo"),
)


def usual_spelling(text: str) -> str | None:
    """Return a date as ISO 8601 or, if its month is a number, with its time so; None for others.

    The text has at most some dozens of characters. The result may be no day of the calendar.
    """
    folded = fold(text)
    folded = _with_time_last(folded) or folded
    clock = _COMPACT.fullmatch(folded) or _CLOCK.fullmatch(folded)
    if clock:
        day = _numeric(clock["day"]) or _named(clock["day"])
        if day:
            return f"{day} {_time(clock)}"
    return _named(folded) or _month(folded) or _week(folded) or _quarter(folded)


def full_year(text: str) -> int:
    """Return a year; one of two digits is next year at the latest, else in the last century."""
    if len(text) > 2:  # noqa: PLR2004  with its century
        return int(text)
    next_year = datetime.now(UTC).year + 1
    year = next_year // 100 * 100 + int(text)
    return year - 100 if year > next_year else year


def _with_time_last(text: str) -> str | None:
    match = _TIME_IN_DATE.fullmatch(text)
    return match and f"{match['date']} {match['y']} {match['time']}{match['zone'] or ''}"


def _time(clock: re.Match[str]) -> str:
    half = f" {clock['half']}m" if clock["half"] else ""
    zone = (clock["zone"] or "").upper().replace("GMT", "UTC")
    offset = zone.removeprefix("UTC") or zone
    return f"{clock['hour']}:{clock['minute'] or '00'}:{clock['second'] or '00'}{half}{offset}"


def _numeric(text: str) -> str | None:
    return text if _NUMERIC.fullmatch(text) else None


def _named(text: str) -> str | None:
    """Return a date that names its month, perhaps with a day of the week before it."""
    weekday = _WEEKDAY.match(text)
    if weekday and (weekday["mark"] or weekday["name"].startswith(_WEEKDAYS)):
        found = _first(_NAMED, text[weekday.end() :])
        if found:
            return found
    return _first(_NAMED, text)


def _month(text: str) -> str | None:
    return _first(_MONTHS, text)


def _first(patterns: list[re.Pattern[str]], text: str) -> str | None:
    """Return the date by the first pattern that matches, the first day if there is none in it."""
    for pattern in patterns:
        match = pattern.fullmatch(text)
        parts = match.groupdict() if match else {}
        name = parts.get("m", "")
        month = int(name) if name.isdecimal() else month_number(name)
        if month:
            return f"{full_year(parts['y']):04}-{month:02}-{int(parts.get('d', 1)):02}"
    return None


def _week(text: str) -> str | None:
    match = _WEEK.fullmatch(text)
    try:
        parts = (int(match["y"]), int(match["w"]), int(match["d"] or 1)) if match else None
        return date.fromisocalendar(*parts).isoformat() if parts else None
    except ValueError:
        return None


def _quarter(text: str) -> str | None:
    match = _QUARTER.fullmatch(text)
    if match is None:
        return None
    return f"{match['y'] or match['y2']}-{3 * int(match['q'] or match['q2']) - 2:02}-01"
