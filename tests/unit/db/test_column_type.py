"""Tests of the types of columns: ids, dates, choices, texts, and words for "missing"."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import pytest

from db.files.column_type import ColumnProfile
from db.files.evidence.column_decision import ColumnType, decide_type
from db.files.evidence.id_name import is_id_name, name_parts
from db.files.evidence.number_marks import FileMarks
from db.files.evidence.row_id import pick_row_id

TEXT = "the house of a friend is near to water and we rent it for this summer with you"


def profile_of(name: str, cells: list[object]) -> ColumnProfile:
    """Return the profile of a column; an empty text is a gap."""
    profile = ColumnProfile(name, rows=len(cells))
    for line, cell in enumerate(cells, 2):
        profile.add(None if cell == "" else cell, line)
    return profile


def type_of(name: str, cells: list[object], file: FileMarks | None = None) -> ColumnType:
    """Return the type of a column, which may be an id."""
    column = decide_type(profile_of(name, cells), file or FileMarks(","))
    pick_row_id([column])
    return column


def sentence(number: int, words: int = 8) -> str:
    """Return a text of a few words."""
    return " ".join(Random(number).choices(TEXT.split(), k=words))


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("position", lambda n: n + 1),
        ("ticket", lambda n: 5000 + n),
        ("case", lambda n: f"{n + 1}.0"),
        ("invoice", lambda n: f"INV2023-{n:03}"),
        ("sha", lambda n: f"{n * 7919 + 2**31:08x}"),
        ("code", lambda n: f"{n + 1:05}"),
        ("order", lambda n: 5000 + 7 * n),
        ("Unnamed: 0", lambda n: n),
        ("PassengerId", lambda n: n * n),
        ("order_no", lambda n: n * n * 3),
        ("who", lambda n: f"A{n * 7919}"),
        ("long", lambda n: 901234567890123456 + n * n),
    ],
)
def test_a_column_with_one_value_per_row_is_an_id(name: str, cell: Callable[[int], object]) -> None:
    """The values count on, or the name says it, or they are codes."""
    assert type_of(name, [cell(n) for n in range(40)]).kind == "id"


def test_numbers_that_count_on_are_an_id_however_long_the_column_is() -> None:
    """Ids were once numbers from 5,001 rows on."""
    numbers: list[object] = [str(n) for n in range(7_000)]
    assert type_of("line", numbers).kind == "id"
    numbers[5] = numbers[6]
    assert type_of("line", numbers).kind == "number"


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("weight", lambda n: n * 1.37),
        ("concentration", lambda n: 5 * n),
        ("distance_km", lambda n: 100 * n + 100),
        ("area", lambda n: n + 21),
        ("visitors_number", lambda n: 1000 + 37 * n),
        ("N", lambda n: n * 7 % 40 + 20),
        ("No2", lambda n: n * n),
        ("n_visits", lambda n: n * 7 % 40),
        ("zip_code", lambda n: 10_000 + n * n),
        ("visit_date", lambda n: 44929 + n),
        ("income", lambda n: 17 * n * n),
        ("year", lambda n: 1980 + n),
        ("paid", lambda n: n * n),
        ("rooms", lambda n: n % 5),
    ],
)
def test_a_measurement_is_not_an_id(name: str, cell: Callable[[int], object]) -> None:
    """Real measurements may be unique too."""
    assert type_of(name, [cell(n) for n in range(40)]).kind == "number"


@pytest.mark.parametrize(
    "cell",
    [
        lambda n: f"{100 + n}/{50 + n}",
        lambda n: f"${n}" if n % 2 else f"€{n}",
        lambda n: f"1:{n:02}.{n * 37 % 1000:03}",
        lambda n: f"{20 + n}x{90 - n}",
        lambda n: f"10.{n}.7.{n * 3}",
        lambda n: f"site{n}.com",
        lambda n: "".join("ACGT"[n * k % 61 % 4] for k in range(7, 40)),
        lambda n: f'="06{n:03}"',
    ],
)
def test_words_of_their_own_in_each_row_are_no_id_without_evidence(
    cell: Callable[[int], str],
) -> None:
    """Rows with the same blood pressure would overwrite each other."""
    column = type_of("x", [cell(n) for n in range(40)])
    assert column.kind == "unused"
    assert column.warnings[0].startswith("is not used, because it has")


def test_ids_that_repeat_are_choices() -> None:
    """A patient comes again; the number of rooms is no id."""
    column = type_of("patient_id", [1000 + n // 2 for n in range(40)])
    assert (column.kind, column.is_listed, len(column.values)) == ("choice", False, 20)
    assert "looks like an id but repeats" in column.warnings[0]
    assert type_of("zip_code", [20_000 + n // 4 for n in range(40)]).kind == "choice"
    assert type_of("number_of_rooms", [n // 2 for n in range(40)]).kind == "number"
    assert type_of("no", [n % 2 for n in range(40)]).kind == "number"


def test_a_short_column_is_an_id_only_by_its_name() -> None:
    """Eight numbers count on by chance."""
    assert type_of("size", list(range(8))).kind == "number"
    assert type_of("id", list(range(8))).kind == "id"


def test_the_best_of_several_ids_identifies_the_rows() -> None:
    """The others are left out, and so is one with gaps."""
    cells: dict[str, list[object]] = {
        "position": [*range(40)],
        "hash": [f"x{n * 7919:x}" for n in range(40)],
        "customer_id": [n * n for n in range(40)],
        "parent_id": ["", *range(100, 139)],
    }
    columns = [decide_type(profile_of(name, each), FileMarks(",")) for name, each in cells.items()]
    best = pick_row_id(columns)
    assert best is columns[2]
    assert [column.kind for column in columns] == ["unused", "unused", "id", "unused"]


def test_the_words_of_a_name_are_told_apart() -> None:
    """Names come in camel case, with underscores, blanks and accents."""
    assert name_parts("customerOrderNo") == ["customer", "order", "no"]
    assert name_parts("ID_Numéro 2") == ["id", "numero", "2"]
    assert [is_id_name(name) for name in ("userID", "N°", "customerid", "column_1", "Order No.")]
    assert not any(
        map(is_id_name, ("paid", "grid", "no_rooms", "humid", "price_index", "n", "No2"))
    )


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
