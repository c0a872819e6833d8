"""Tests of dates: their spellings, and the parts that models use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.spec.dates.date_value import DateOrder, date_parts, from_epoch, moment_of, read_moment


@pytest.mark.parametrize(
    ("text", "order", "moment"),
    [
        ("2024/1/7", "YMD", "2024-01-07T00:00:00"),
        ("20240107", "YMD", "2024-01-07T00:00:00"),
        ("07.01.2024", "DMY", "2024-01-07T00:00:00"),
        ("7-1-24", "DMY", "2024-01-07T00:00:00"),
        ("31/12/69", "DMY", "1969-12-31T00:00:00"),
        ("12/31/2024 12:05 AM", "MDY", "2024-12-31T00:05:00"),
        ("1/31/24 3:05:09 PM", "MDY", "2024-01-31T15:05:09"),
        ("7 Jan 2024", "MDY", "2024-01-07T00:00:00"),
        ("January 7, 2024", "DMY", "2024-01-07T00:00:00"),
        ("Sunday, 07-Jan-24", "YMD", "2024-01-07T00:00:00"),
        ("2024-01-07T08:00:00.123+0530", "YMD", "2024-01-07T08:00:00+05:30"),
        ("2024-01-07 08:00 UTC", "YMD", "2024-01-07T08:00:00+00:00"),
        ("2024-01-07", "DMY", "2024-01-07T00:00:00"),
        ("12/22/70", "MDY", "1970-12-22T00:00:00"),
        ("23-Mar-33", "YMD", "1933-03-23T00:00:00"),
        ("3. Januar 2023", "YMD", "2023-01-03T00:00:00"),
        ("Dienstag, 3. März 2023", "YMD", "2023-03-03T00:00:00"),
        ("9 Mrz. 2023", "YMD", "2023-03-09T00:00:00"),
        ("1er mai 2023", "MDY", "2023-05-01T00:00:00"),
        ("mardi 15 Août 2023", "YMD", "2023-08-15T00:00:00"),
        ("28-févr-23", "YMD", "2023-02-28T00:00:00"),
        ("01-janv.-2023", "YMD", "2023-01-01T00:00:00"),
        ("3 de enero de 2023", "YMD", "2023-01-03T00:00:00"),
        ("Mayo 9, 2023", "YMD", "2023-05-09T00:00:00"),
        ("12 dic. 2023", "YMD", "2023-12-12T00:00:00"),
        ("1 maggio 2023", "YMD", "2023-05-01T00:00:00"),
        ("5 de março de 2023", "YMD", "2023-03-05T00:00:00"),
        ("3 mrt 2023", "YMD", "2023-03-03T00:00:00"),
        ("January 7th, 2024", "YMD", "2024-01-07T00:00:00"),
        ("Tue, 09 Jan 2023 10:00:00 GMT", "YMD", "2023-01-09T10:00:00+00:00"),
        ("Tue, 09 Jan 2023 10:00:00 +0100", "YMD", "2023-01-09T10:00:00+01:00"),
        ("Tue Jan 03 10:00:00 2023", "YMD", "2023-01-03T10:00:00"),
        ("Tue Jan  3 10:00:00 +0000 2023", "YMD", "2023-01-03T10:00:00+00:00"),
        ("03JAN2023", "YMD", "2023-01-03T00:00:00"),
        ("03JAN2023:08:30:00", "YMD", "2023-01-03T08:30:00"),
        ("20230118T101500Z", "YMD", "2023-01-18T10:15:00+00:00"),
        ("20230118T000000", "YMD", "2023-01-18T00:00:00"),
        ("18/01/2023 10h15", "DMY", "2023-01-18T10:15:00"),
        ("17.01.2023 um 10:15 Uhr", "DMY", "2023-01-17T10:15:00"),
        ("17.01.23, 10:15", "DMY", "2023-01-17T10:15:00"),
        ("2015-01", "YMD", "2015-01-01T00:00:00"),
        ("02/2015", "MDY", "2015-02-01T00:00:00"),
        ("Jan 2015", "YMD", "2015-01-01T00:00:00"),
        ("Dez-15", "YMD", "2015-12-01T00:00:00"),
        ("24-02-28", "YMD", "2024-02-28T00:00:00"),
        ("24/02/28 10:15", "YMD", "2024-02-28T10:15:00"),
        ("24-02-28", "DMY", "1928-02-24T00:00:00"),
        ("2015-W03", "YMD", "2015-01-12T00:00:00"),
        ("2015Q1", "YMD", "2015-01-01T00:00:00"),
        ("2015-Q4", "YMD", "2015-10-01T00:00:00"),
    ],
)
def test_dates_are_read_in_the_spellings_of_people(
    text: str, order: DateOrder, moment: str
) -> None:
    """A year of four digits at the beginning, or a month's name, means the same in each order."""
    assert read_moment(text, order).isoformat() == moment


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("1/2/2024", "YMD"),
        ("1/2/24", "YMD"),
        ("24.02.28", "YMD"),
        ("24-13-01", "YMD"),
        ("31/1/2024", "MDY"),
        ("2024-13-01", "YMD"),
        ("2024-1/07", "YMD"),
        ("7 Foo 2024", "YMD"),
        ("2024-01-07T25:00", "YMD"),
        ("1/31/24 13:05 PM", "MDY"),
        ("1704585600", "YMD"),
        ("2" * 100, "YMD"),
        ("Jan 15", "YMD"),
        ("jui 2015", "YMD"),
        ("Marble 7, 2024", "YMD"),
        ("2015-13", "YMD"),
        ("1234-05", "YMD"),
        ("2015.01", "YMD"),
        ("2015-W60", "YMD"),
        ("2015Q5", "YMD"),
        ("18/01/2023 10h15", "YMD"),
        ("30 février 2023", "YMD"),
        ("3 janvier 2023 25h00", "YMD"),
        ("a" * 64, "YMD"),
    ],
)
def test_what_is_no_date_in_its_order_is_refused(text: str, order: DateOrder) -> None:
    """It is never guessed."""
    with pytest.raises(ValueError, match=r"date|day"):
        read_moment(text, order)


@given(st.text("0123456789 ./-:,htTq'wW+aemruv", max_size=64), st.sampled_from(["YMD", "DMY"]))
def test_any_text_is_a_moment_or_refused(text: str, order: DateOrder) -> None:
    """No spelling causes another error, and a moment has a normal form."""
    try:
        moment = read_moment(text, order)
    except ValueError:
        return
    assert moment_of(moment.isoformat()) == moment


def test_a_year_of_two_digits_is_next_year_at_the_latest() -> None:
    """Births and past events are far more frequent than events to come."""
    following = datetime.now(UTC).year + 1
    years = [read_moment(f"1 Jan {year % 100:02}").year for year in (following, following + 1)]
    assert years == [following, following - 99]


def test_seconds_and_milliseconds_since_1970_are_told_apart_by_their_size() -> None:
    """Both are in UTC."""
    assert from_epoch(1704616200) == from_epoch(1704616200000)
    with pytest.raises(ValueError, match="since 1970"):
        from_epoch(1e30)


def test_a_date_has_parts_that_models_can_use() -> None:
    """Words sort like their numbers; Monday is 1."""
    assert date_parts("2024-01-07", has_time=False) == {
        "days": 19729.0,
        "year": 2024,
        "day": 7,
        "month": "01",
        "weekday": "7",
    }
    timed = date_parts("2024-01-07T18:00:00+02:00", has_time=True)
    assert (timed["hour"], timed["days"]) == ("18", 19729.75)
    assert set(date_parts(None, has_time=True).values()) == {None}
