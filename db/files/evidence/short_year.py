"""Whether a year of two digits is the first part of a column's dates or the last, by evidence."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from db.spec.dates.date_value import DateOrder, read_moment

from .cell import DateShape, read_cell
from .groups import Groups

# The years of most tables.
_RECENT_YEARS = 30
_ORDERS: tuple[DateOrder, ...] = ("YMD", "DMY", "MDY")


@dataclass(frozen=True)
class ShortYear:
    """Whether the year is first; `doubt` says what to check if it can also be last."""

    is_first: bool = False
    doubt: str = ""


def read_short_year(groups: Groups, texts: Iterable[str]) -> ShortYear:
    """Return where the year of a column's dates stands; `texts` are its values in their order."""
    if not any(shape.is_short for shape, _ in groups.dates()):
        return ShortYear()
    dates = [text for text in texts if isinstance(read_cell(text).date, DateShape)]
    moments = {order: _moments(dates, order) for order in _ORDERS}
    first, last = moments["YMD"], moments["DMY"] or moments["MDY"]
    if not first:
        return ShortYear()
    if not last:
        return ShortYear(is_first=True)
    is_first = _evidence(first) > _evidence(last)
    return ShortYear(is_first, _doubt(dates[0], is_first=is_first))


def _moments(dates: Iterable[str], order: DateOrder) -> list[datetime]:
    """Return all dates in an order, none if it does not read all of them."""
    try:
        return [read_moment(text, order).replace(tzinfo=None) for text in dates]
    except ValueError:
        return []


def _evidence(moments: list[datetime]) -> tuple[int, int]:
    """Return how plausible dates are: recent and in the order of the file, and of few years."""
    years = [moment.year for moment in moments]
    are_recent = min(years) >= datetime.now(UTC).year - _RECENT_YEARS
    are_sorted = len(set(moments)) > 2 and all(a <= b for a, b in pairwise(moments))  # noqa: PLR2004
    return 2 * are_sorted + are_recent, -len(set(years))


def _doubt(example: str, *, is_first: bool) -> str:
    where, other = ("first", "last") if is_first else ("last", "first")
    order = '"DMY" or "MDY"' if is_first else '"YMD"'
    return (
        f"{example} is read with the year {where}, but it may be {other}; if so, write"
        f" order = {order}"
    )
