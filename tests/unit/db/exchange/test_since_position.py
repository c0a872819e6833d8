"""Tests of how far a query has been read."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import ExchangeError
from db.exchange.since_position import (
    Newest,
    Position,
    begin_of_run,
    decode_position,
    encode_position,
    later_of,
    not_after,
)

NOON = datetime(2025, 3, 1, 12, tzinfo=UTC)
EARLIEST = datetime.min.replace(tzinfo=UTC)


@given(
    st.integers()
    | st.floats(allow_nan=False)
    | st.decimals(allow_nan=False)
    | st.dates()
    | st.datetimes()
    | st.datetimes(timezones=st.just(UTC))
    | st.text()
)
def test_a_stored_position_loses_nothing(position: Position) -> None:
    """Neither its type nor a digit."""
    read = decode_position(encode_position(position))
    assert read == position
    assert type(read) is type(position)


def newest(*values: object, has_text_times: bool = True) -> Newest:
    """Return the highest of values."""
    read = Newest("changed", has_text_times)
    for value in values:
        read.read(value)
    return read


def test_the_highest_value_counts_and_missing_ones_are_counted() -> None:
    """NaN is above all numbers in PostgreSQL, and is not a position."""
    assert newest(3, None, Decimal("3.5"), float("nan"), 2.0).value == Decimal("3.5")
    assert newest(None, 1, None).missing == 2
    assert newest().value is None


@pytest.mark.parametrize(
    "values",
    [
        (True,),
        (b"x",),
        ("soon",),
        ("2025-02-30",),
        (1, NOON),
        (NOON, NOON.replace(tzinfo=None)),
        (date(2025, 1, 1), NOON),
        ("2025-01-01 10:00:00+01:00", "2025-01-01 10:00:00+02:00"),
    ],
)
def test_values_without_one_order_are_refused(values: tuple[object, ...]) -> None:
    """Rows would be lost without a word."""
    with pytest.raises(ExchangeError, match=r"changed: .*--since-column needs"):
        newest(*values)


def test_texts_are_times_only_in_sqlite() -> None:
    """Other databases sort texts by the rules of a language."""
    assert newest("2025-01-01T10:00").value == "2025-01-01T10:00"
    with pytest.raises(ExchangeError):
        newest("2025-01-01T10:00", has_text_times=False)


@pytest.mark.parametrize(
    ("position", "begin"),
    [
        (NOON, NOON - timedelta(minutes=5)),
        (date(2025, 3, 1), date(2025, 2, 28)),
        ("2025-03-01 12:00:00", "2025-03-01 11:55:00"),
        ("2025-03-01T12:00:00.5+01:00", "2025-03-01 11:55:00"),
        ("2025-03-01", "2025-02-28"),
        ("2025-03-01 12:00", "2025-03-01 11:55"),
        ("2025-03-01T12:00+01:00", "2025-03-01 11:55"),
        (7, 7),
        (Decimal("7.5"), Decimal("7.5")),
        (EARLIEST, EARLIEST),
    ],
)
def test_a_run_begins_before_a_time_and_at_a_number(position: Position, begin: Position) -> None:
    """A time as text begins with the lowest text of its second."""
    assert begin_of_run(position, 300) == begin


@given(
    st.datetimes(NOON.replace(2000, tzinfo=None), NOON.replace(2100, tzinfo=None)),
    st.sampled_from(" T"),
)
def test_the_begin_is_below_every_spelling_of_later_times(moment: datetime, mark: str) -> None:
    """The database compares them as texts."""
    begin = begin_of_run(moment.isoformat(sep=mark), 300)
    for other in " T":
        assert str(begin) <= (moment - timedelta(seconds=300)).isoformat(sep=other)


def test_times_without_seconds_are_not_below_the_begin_of_their_minute() -> None:
    """Another row of the same minute may be committed later."""
    for text in ("2025-03-01 12:00", "2025-03-01T12:00", "2025-03-01 12:00+01:00"):
        assert str(begin_of_run(text, 0)) <= text


def test_a_position_is_not_after_the_database_clock() -> None:
    """A clock of another type says nothing."""
    later = NOON + timedelta(days=1)
    assert not_after(later, NOON) == NOON
    assert not_after(NOON, later) == NOON
    assert not_after(date(2025, 3, 2), date(2025, 3, 1)) == date(2025, 3, 1)
    assert not_after("2025-03-01T13:00:00", "2025-03-01 12:00:00") == "2025-03-01 12:00:00"
    assert not_after("2025-03-01T11:00:00", "2025-03-01 12:00:00") == "2025-03-01T11:00:00"
    zoned = NOON.astimezone(timezone(timedelta(hours=2)))
    assert not_after(zoned.isoformat(), "2025-03-01 12:00:00") == zoned.isoformat()
    assert not_after(9**30, None) == 9**30


def test_a_position_goes_forward_alone() -> None:
    """If the column's type has changed, the new one counts."""
    assert later_of(None, None) is None
    assert later_of(2, None) == later_of(None, 2) == later_of(1, 2) == later_of(2, 1) == 2
    assert later_of(2, NOON) == NOON
