"""Tests of which columns identify the rows, and which only count them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from db.files.evidence.column_decision import decide_type
from db.files.evidence.id_name import is_id_name, name_parts
from db.files.evidence.number_marks import FileMarks
from db.files.evidence.row_id import pick_row_id

from .column import profile_of, type_of


@pytest.mark.parametrize(
    ("name", "cell"),
    [
        ("row", lambda n: n + 1),
        ("ticket number", lambda n: 5000 + n),
        ("case_id", lambda n: f"{n + 1}.0"),
        ("invoice", lambda n: f"INV2023-{n:03}"),
        ("sha", lambda n: f"{n * 7919 + 2**31:08x}"),
        ("code", lambda n: f"{n + 1:05}"),
        ("Order No", lambda n: 5000 + 7 * n),
        ("Unnamed: 0", lambda n: n),
        ("PassengerId", lambda n: n * n),
        ("order_no", lambda n: n * n * 3),
        ("who", lambda n: f"A{n * 7919}"),
        ("long", lambda n: 901234567890123456 + n * n),
    ],
)
def test_a_column_with_one_value_per_row_is_an_id(name: str, cell: Callable[[int], object]) -> None:
    """The name says it, or they are codes."""
    assert type_of(name, [cell(n) for n in range(40)]).kind == "id"


def test_numbers_are_an_id_however_long_the_column_is() -> None:
    """Ids were once numbers from 5,001 rows on."""
    numbers: list[object] = [str(n) for n in range(7_000)]
    assert type_of("index", numbers).kind == "id"
    numbers[5] = numbers[6]
    assert type_of("index", numbers).kind == "number"


@pytest.mark.parametrize(
    ("name", "is_first", "start", "kind"),
    [
        ("x", True, 0, "unused"),
        ("humid", True, 1, "unused"),
        ("x", True, 400, "number"),
        ("x", False, 1, "number"),
        ("Number of rooms", True, 1, "number"),
        ("ndays", False, 0, "number"),
        ("key_rate", True, 20, "number"),
        ("record_high", True, 20, "number"),
        ("position", False, 1, "number"),
    ],
)
def test_numbers_that_count_the_rows_are_no_id_without_the_name(
    name: str, start: int, kind: str, *, is_first: bool
) -> None:
    """Rows of two experiments with the same wavelength would overwrite each other."""
    column = decide_type(profile_of(name, [*range(start, start + 40)]), FileMarks(","))
    assert pick_row_id([column], name if is_first else "y") is None
    assert column.kind == kind
    (warning,) = column.warnings
    assert ("so it is not learned from" in warning) == (kind == "unused")
    assert "to look rows up by it, write id = " in warning


def test_numbers_in_another_order_or_years_do_not_count_the_rows() -> None:
    """Nothing is said of a measure that happens to be unique, or of a series of years."""
    for name, cells in (("x", [n * 7 % 40 for n in range(40)]), ("days", [*range(40)])):
        column = decide_type(profile_of(name, list(cells)), FileMarks(","))
        assert pick_row_id([column], name) is None
        assert (column.kind, column.warnings) == ("number", [])


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
    assert [column.kind for column in columns] == ["number", "unused", "id", "unused"]


def test_the_words_of_a_name_are_told_apart() -> None:
    """Names come in camel case, with underscores, blanks and accents."""
    assert name_parts("customerOrderNo") == ["customer", "order", "no"]
    assert name_parts("ID_Numéro 2") == ["id", "numero", "2"]
    assert [is_id_name(name) for name in ("userID", "N°", "customerid", "column_1", "Order No.")]
    assert not any(
        map(
            is_id_name, ("paid", "grid", "no_rooms", "humid", "price_index", "n", "No2", "key_rate")
        )
    )
