"""Times and numbers as people say them."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def in_time(seconds: float) -> str:
    """Return a time as people say it."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"


def ago(at: float, now: float) -> str:
    """Return how long ago something was."""
    return f"{in_time(max(now - at, 0.0))} ago"


def date(at: float | None) -> str:
    """Return a time of the calendar, to the minute."""
    if at is None:
        return "not known"
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def number(value: float | None, digits: int = 3) -> str:
    """Return a number with so many digits after the point, a dash without one."""
    if value is None:
        return "–"
    return f"{value:,.{digits}f}" if abs(value) < 10**6 else f"{value:,.4g}"
