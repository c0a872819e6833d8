"""Times as text and as HTML, in UTC; page.js rewrites them to the viewer's time zone."""

from __future__ import annotations

from datetime import UTC, datetime

from .formatting import date
from .language.translation import gettext as _
from .language.translation import mark

_MONTHS = (
    mark("Jan"),
    mark("Feb"),
    mark("Mar"),
    mark("Apr"),
    mark("May"),
    mark("Jun"),
    mark("Jul"),
    mark("Aug"),
    mark("Sep"),
    mark("Oct"),
    mark("Nov"),
    mark("Dec"),
)


def time_tag(at: float | None) -> str:
    """Return a Unix time as an HTML element that says it in UTC, or "not known"."""
    return date(at) if at is None else f'<time datetime="{machine_time(at)}">{date(at)}</time>'


def machine_time(at: float) -> str:
    """Return a Unix time to the minute as browsers read it, such as 2026-11-29T17:31Z."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%MZ")


def utc_text(at: float) -> str:
    """Return a Unix time as titles of charts begin, such as 2026-11-29 17:31 UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")


def hour_text(at: float) -> str:
    """Return the time of day in UTC, such as 17:30."""
    return datetime.fromtimestamp(at, UTC).strftime("%H:%M")


def day_text(at: float) -> str:
    """Return the day in UTC, such as "Nov 29"."""
    day = datetime.fromtimestamp(at, UTC)
    return _("{month} {day}").format(month=_(_MONTHS[day.month - 1]), day=day.day)
