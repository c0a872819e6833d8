"""Durations and moments in words."""

from __future__ import annotations

from datetime import UTC, datetime

_UNITS = ((86_400, "d"), (3600, "h"), (60, "min"))


def format_duration(seconds: float) -> str:
    """Return a duration in the largest unit of which it has at least two."""
    for size, unit in _UNITS:
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:,.0f} s"


def format_moment(at: float) -> str:
    """Return a Unix time as all outputs show times, such as "2026-11-29 16:55 UTC"."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
