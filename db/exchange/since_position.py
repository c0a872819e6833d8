"""How far a query has been read: the highest value of the column by which changes are found."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import TypeAlias

import msgspec

from db.errors import ExchangeError

Position: TypeAlias = datetime | date | int | float | Decimal | str

# SQLite has no type for times; these texts sort like the times that they name.
_TIME_TEXT = re.compile(r"\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d.*)?", re.ASCII)
_TEXT_DATE_CHARACTERS = 10
_HAS_SECONDS = re.compile(r".{16}:")
_READERS: dict[str, Callable[[str], Position]] = {
    "datetime": datetime.fromisoformat,
    "date": date.fromisoformat,
    "int": int,
    "float": float,
    "decimal": Decimal,
    "str": str,
}


def encode_position(position: Position) -> str:
    """Return a position as JSON with its type, so that no digit of it is lost."""
    shown = position.isoformat() if isinstance(position, date) else str(position)
    return msgspec.json.encode([type(position).__name__.lower(), shown]).decode()


def decode_position(text: str) -> Position:
    """Return the position of `encode_position`."""
    kind, shown = msgspec.json.decode(text, type=tuple[str, str])
    return _READERS[kind](shown)


@dataclass
class Newest:
    """The highest value that was read, and how many rows have none."""

    column: str
    has_text_times: bool
    value: Position | None = None
    missing: int = 0

    def read(self, value: object) -> None:
        """Count the value of a row; raises ExchangeError if it cannot be compared."""
        if value is None or (isinstance(value, float | Decimal) and not math.isfinite(value)):
            self.missing += value is None
            return
        if not self._is_position(value):
            raise ExchangeError(
                f"{self.column}: has values such as {str(value)[:40]!r}; --since-column needs a"
                " column of times or numbers"
            )
        try:
            if self.value is None or _is_higher(value, self.value):
                self.value = value  # type: ignore[assignment]
        except TypeError:
            raise ExchangeError(
                f"{self.column}: {str(value)[:40]!r} and {str(self.value)[:40]!r} cannot be"
                " compared; --since-column needs a column of one type and time zone"
            ) from None

    def _is_position(self, value: object) -> bool:
        if isinstance(value, str):
            return self.has_text_times and _text_time(value) is not None
        return isinstance(value, date | int | float | Decimal) and not isinstance(value, bool)


def _text_time(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text) if _TIME_TEXT.fullmatch(text) else None
    except ValueError:
        return None


def _is_higher(value: object, other: Position) -> bool:
    """Return whether a value is above another in the database's order; raises TypeError."""
    if isinstance(value, str) and isinstance(other, str):
        new, old = _text_time(value), _text_time(other)
        if new and old and new.utcoffset() != old.utcoffset():
            raise TypeError
        return value > other
    return bool(value > other)  # type: ignore[operator]


def begin_of_run(position: Position, overlap_seconds: int) -> Position:
    """Return the value from which the next run reads.

    Rows that were committed late may be up to `overlap_seconds` older. Numbers have no overlap.
    """
    overlap = timedelta(seconds=overlap_seconds)
    if isinstance(position, datetime):
        return _earlier(position, overlap)
    if isinstance(position, date):
        midnight = datetime.combine(position, time())
        return _earlier(midnight, overlap).date()
    if isinstance(position, str) and (read := _text_time(position)):
        return _as_text(_earlier(read, overlap), position)
    return position


def _earlier(moment: datetime, overlap: timedelta) -> datetime:
    try:
        return moment - overlap
    except OverflowError:
        return moment


def _as_text(moment: datetime, like: str) -> str:
    """Return the lowest text of a second, so that it is not above the times after it.

    A space comes before the T, and a text before one that goes on with a fraction or a zone. If
    `like` has no seconds, other texts may have none either: it is the lowest text of the minute.
    """
    if len(like) == _TEXT_DATE_CHARACTERS:
        return f"{moment:%Y-%m-%d}"
    if not _HAS_SECONDS.match(like):
        return f"{moment:%Y-%m-%d %H:%M}"
    return f"{moment:%Y-%m-%d %H:%M:%S}"


def not_after(position: Position, now: object) -> Position:
    """Return a position that is not after the database's clock.

    After a row with a time in the far future, all rows with true times would be skipped.
    """
    if isinstance(position, str) and isinstance(now, str):
        return _text_not_after(position, now)
    if isinstance(position, date) and type(position) is type(now):
        return min(position, now)
    return position


def _text_not_after(position: str, now: str) -> str:
    moment, clock = _text_time(position), datetime.fromisoformat(now).replace(tzinfo=UTC)
    if moment is None:
        return position
    zone = moment.tzinfo
    clock = clock.astimezone(zone) if zone else clock.replace(tzinfo=None)
    return position if moment <= clock else _as_text(clock, position)


def later_of(position: Position | None, other: Position | None) -> Position | None:
    """Return the later of two positions; the second one if they are of different types."""
    if position is None or other is None:
        return position if other is None else other
    try:
        return other if _is_higher(other, position) else position
    except TypeError:
        return other
