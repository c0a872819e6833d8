"""Tests of the types of columns: dates, choices, texts, and words for "missing"."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from db.files.evidence.number_marks import FileMarks

from .column import type_of

TEXT = "the house of a friend is near to water and we rent it for this summer with you"


def sentence(number: int, words: int = 8) -> str:
    """Return a text of a few words."""
    return " ".join(Random(number).choices(TEXT.split(), k=words))


def test_large_numbers_and_numbers_with_zeros_before_are_codes() -> None:
    """A float cannot hold the first, and the zeros of a postcode mean something."""
    for cells in (["901234567890123456", "901234567890123457"], ["01234", "20095"]):
        column = type_of("area", [cells[n % 2] for n in range(60)])
        assert (column.kind, sorted(column.values)) == ("choice", cells)


@pytest.mark.parametrize(
    ("cell", "kind", "order"),
    [
        (lambda n: f"2024-03-{n % 28 + 1:02}", "date", "YMD"),
        (lambda n: f"2024-03-{n % 28 + 1:02}T10:00:00+02:00", "datetime", "YMD"),
        (lambda n: f"{n % 28 + 1}/{n % 12 + 1}/2024", "date", "DMY"),
        (lambda n: f"{n % 12 + 1}/{n % 28 + 1}/24 10:30 PM", "datetime", "MDY"),
        (lambda n: f"{n % 9 + 1}.{n % 5 + 1}.2024", "date", "DMY"),
        (lambda n: f"Mar {n % 28 + 1}, 2024", "date", "YMD"),
        (lambda n: f"{n % 28 + 1} mai 2023", "date", "YMD"),
        (lambda n: f"202301{n % 28 + 1:02}T101500Z", "datetime", "YMD"),
        (lambda n: f"{n % 28 + 1:02}JAN2023:08:30:00", "datetime", "YMD"),
        (lambda n: f"{2015 + n // 12}-{n % 12 + 1:02}", "date", "YMD"),
        (lambda n: f"{2010 + n // 4}Q{n % 4 + 1}", "date", "YMD"),
        (lambda n: f"2015-W{n % 50 + 1:02}", "date", "YMD"),
    ],
)
def test_dates_are_told_by_their_cells(
    cell: Callable[[int], object], kind: str, order: str
) -> None:
    """A part above twelve is a day, and points between the parts are European."""
    column = type_of("x", [cell(n) for n in range(60)])
    assert (column.kind, column.order, column.warnings) == (kind, order, [])


def test_an_order_that_no_date_shows_is_assumed_with_a_warning() -> None:
    """Other evidence in the file decides without one."""
    cells: list[object] = [f"{n % 12 + 1}/{n * 7 % 12 + 1}/2024" for n in range(60)]
    column = type_of("day", cells)
    assert column.order == "DMY"
    assert 'if the month is first, write order = "MDY"' in column.warnings[0]
    assert type_of("day", cells, FileMarks(";")).warnings == []


@pytest.mark.parametrize(
    ("cells", "order", "words"),
    [
        (["24-01-13", "24-02-28", "23-12-05"], "YMD", "read with the year first"),
        (["24/01/03", "24/02/02", "24/02/05", "24/03/01"], "YMD", "read with the year first"),
        (["01/02/24", "15/03/24", "28/12/23"], "DMY", "read with the year last"),
        (["01/02/05", "03/02/05", "05/07/05"], "DMY", "read with the year last"),
        (["13-01-45", "24-02-28", "23-12-05"], "DMY", ""),
        (["45-12-31", "24-02-28", "23-12-05"], "YMD", ""),
    ],
)
def test_a_year_of_two_digits_is_first_or_last_by_evidence(
    cells: list[object], order: str, words: str
) -> None:
    """It is the part with few, recent values that go up; a person is told if it may be another."""
    column = type_of("d", [cells[n * len(cells) // 40] for n in range(40)])
    assert (column.kind, column.order) == ("date", order)
    assert len(column.warnings) >= bool(words)
    assert all("year" not in warning for warning in column.warnings) == (not words)
    assert words in "".join(column.warnings)


def test_days_that_no_calendar_has_are_left_to_import() -> None:
    """They are mistakes even if they repeat; only zeros mean that there is no day."""
    cells: list[object] = [f"2024-02-{29 + n % 2}" for n in range(12)]
    days: list[object] = [f"2024-03-{n + 1:02}" for n in range(20)]
    column = type_of("d", [*cells, *days])
    assert (column.kind, column.missing) == ("date", {})
    assert "6 cells are not a date" in column.warnings[0]
    assert "'2024-02-30'; import refuses" in column.warnings[0]
    zeros = type_of("d", ["0000-00-00", "0000-00-00", *days])
    assert zeros.missing == {"0000-00-00": 2}


def test_dates_in_two_orders_are_left_out() -> None:
    """Half of them would be silently wrong."""
    cells: list[object] = [("13/2/2024", "2/13/2024", "1/2/2024")[n % 3] for n in range(60)]
    column = type_of("day", cells)
    assert (column.kind, column.reason) == (
        "unused",
        "has dates in two orders: 13/2/2024 and 2/13/2024",
    )


def test_only_a_name_makes_seconds_and_digits_dates() -> None:
    """Other numbers may lie in the same range."""
    seconds: list[object] = [1_700_000_000 + 977 * n for n in range(60)]
    assert type_of("created_at", seconds).kind == "datetime"
    assert type_of("amount", [each for each in seconds if each != 1_700_000_977]).kind == "number"
    days: list[object] = [1_700_006_400 + 86_400 * (n * n) for n in range(60)]
    assert (type_of("date", days).kind, type_of("date", days).order) == ("date", "epoch")
    assert type_of("day", ["20240107", "20240108"] * 9).kind == "date"
    assert type_of("amount", ["20240107", "20240108"] * 9).kind == "number"


@pytest.mark.parametrize(
    ("name", "cell", "kind", "is_listed"),
    [
        (
            "pool",
            lambda n: ("Fa", "Ex", "Gd")[n % 3] if n % 50 == 9 else "",
            "choice",
            1,
        ),
        ("town", lambda n: f"Town{'ABCDE'[n % 5]}{n % 60}", "choice", 0),
        ("car", lambda n: f"Maruti Swift Model {n % 60}", "choice", 0),
        ("yes", lambda n: ("yes", "no")[n % 2], "choice", 1),
        ("note", sentence, "text", 0),
        ("note", lambda n: sentence(n % 60), "text", 0),
        ("note", lambda n: "".join(chr(0x4E00 + (n * k) % 999) for k in range(30)), "text", 0),
        (
            "who",
            lambda n: f"{'ABC'[n % 3]}na B{chr(97 + n % 26)}{chr(97 + n // 26)}er",
            "unused",
            0,
        ),
        ("mail", lambda n: f"x{n}@example.org", "unused", 0),
        ("photo", lambda n: f"https://example.org/{n}", "unused", 0),
        ("host_url", lambda n: f"https://example.org/{n % 5}", "choice", 1),
        ("Address", lambda n: f"{n} {['Long', 'Old', 'Mill'][n % 3]} Street", "unused", 0),
    ],
)
def test_words_are_choices_texts_or_only_identify(
    name: str, cell: Callable[[int], object], kind: str, is_listed: int
) -> None:
    """Only sentences are text; long lists of choices are not written out."""
    column = type_of(name, [cell(n) for n in range(240)])
    assert (column.kind, column.is_listed) == (kind, bool(is_listed))


def test_words_that_can_be_a_choice_stay_one_with_a_note() -> None:
    """In some tables, NA is a kind of garage."""
    cells: list[object] = [("attached", "NA", "none yet", "?", "")[n % 5] for n in range(60)]
    column = type_of("garage", cells)
    assert sorted(column.values) == ["NA", "attached", "none yet"]
    assert (column.missing, column.empty) == ({"?": 12}, 24)
    assert column.notes == [
        'NA is kept as a value (12 rows); if it means missing, add missing = ["NA"]'
    ]


def test_every_word_for_missing_is_missing_among_numbers_and_dates() -> None:
    """It is kept as the file spells it."""
    numbers = type_of("x", [("NA", "none", "Null", n * n)[n % 4] for n in range(60)])
    assert (numbers.kind, numbers.missing) == ("number", {"NA": 15, "none": 15, "Null": 15})
    dates = type_of("x", [("N/A", "2024-01-05", "2024-02-05")[n % 3] for n in range(60)])
    assert (dates.kind, dates.missing) == ("date", {"N/A": 20})
    flags = type_of("x", [("nan", "True", "False")[n % 3] for n in range(60)])
    assert (flags.kind, flags.missing) == ("boolean", {"nan": 20})


def test_objects_and_empty_columns_are_not_used() -> None:
    """The reason is said."""
    assert type_of("x", [{"a": 1}, {"a": 2}]).reason.startswith("contains objects or arrays")
    assert type_of("x", ["", ""]).reason == "is empty"
    assert type_of("x", ["NA", ""]).reason == "contains only 'NA'"


def test_a_repeated_day_far_from_all_others_means_missing() -> None:
    """Systems write 9999-12-31 for "not yet"."""
    cells: list[object] = [f"2023-01-{n % 28 + 1:02}" if n % 5 else "9999-12-31" for n in range(60)]
    column = type_of("ends", cells)
    assert (column.kind, column.missing, column.empty) == ("date", {"9999-12-31": 12}, 12)
    assert "9999-12-31" in column.doubts
    old = type_of("born", [f"{1895 + n % 9}-01-01" for n in range(60)])
    assert (old.missing, old.doubts) == ({}, {})


def test_phone_numbers_only_identify() -> None:
    """Nothing can be learned from them."""
    column = type_of("x", [f"+33 6 85 12 {10 + n} 76" for n in range(60)])
    assert column.reason == "contains phone numbers, which only identify"
    assert type_of("phone", [33_685_129_600 + n * n for n in range(60)]).kind == "unused"
