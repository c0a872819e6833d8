"""Format times and numbers for the pages."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def duration(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least two, such as "5 min"."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"


def ago(at: float, now: float) -> str:
    """Return the time since `at`, such as "5 min ago"; a time in the future is "0 s ago"."""
    return f"{duration(max(now - at, 0.0))} ago"


def date(at: float | None) -> str:
    """Return a Unix time as date and time in UTC, to the minute."""
    if at is None:
        return "not known"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with `digits` decimals, or a dash for None."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}" if abs(value) < 10**6 else f"{value:,.4g}"
