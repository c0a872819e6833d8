"""Tests of how the numbers of a column are read, and which of them mean "missing"."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from db.errors import DataFileError
from db.files.evidence.column_decision import decide_type
from db.files.evidence.number_marks import FileMarks, Mark
from db.files.evidence.sentinel import find_sentinels
from db.files.infer import InferredDataset, infer_dataset

from .column import profile_of


def infer_column(
    tmp_path: Path, cells: list[str], *, decimal: Mark | None = None, other: str = "7"
) -> InferredDataset:
    """Return what is inferred from a column x beside another, in a file with semicolons."""
    rows = [f"{cell};{other}{n % 5};{'ab'[n % 2]}\n" for n, cell in enumerate(cells)]
    file = tmp_path / "table.csv"
    file.write_text("x;other;y\n" + "".join(rows), "utf-8")
    return infer_dataset(file, "y", decimal=decimal)


@pytest.mark.parametrize(
    ("cell", "number_format", "value"),
    [
        (lambda n: f"${n + 1000:,}.50", "$1,234.5", 1000.5),
        (lambda n: f"USD {n + 1000:,}", "USD 1,234.5", 1000),
        (lambda n: f"1.{n + 100},50 €", "1.234,5 €", 1100.5),
        (lambda n: f"{n + 800} CC", "1234.5 CC", 800),
        (lambda n: f"{n + 20}.0 kmpl", "1234.5 kmpl", 20),
        (lambda n: f"1,{n + 100} km²", "1,234.5 km²", 1100),
        (lambda n: f"{n}%", "1234.5%", 0),
        (lambda n: f"1 {n + 100}", "1 234.5", 1100),
        (lambda n: f"1'{n + 100}.5", "1'234.5", 1100.5),
        (lambda n: f"{n + 1},000+", "1,234.5+", 1000),
        (lambda n: f"({n + 5}.25)" if n % 2 else f"{n + 5}.5", "1234.5", 5.5),
        (lambda n: f"{n},512", "1234,5", 0.512),
        (lambda n: f"{n + 1}" if n % 2 else f"1,234,{n + 100}", "1,234.5", 1234100),
        (lambda n: f"{n + 8},56E-06", "1234,5", 8.56e-06),
        (lambda n: f"{n + 247}.37-", "1234.5", -247.37),
        (lambda n: f"–{n + 2}" if n % 2 == 0 else f"{n}", "1234.5", -2),
        (lambda n: f"{n + 6}'967.–", "1'234.5", 6967),
        (lambda n: f"{n + 2}.720,- €", "1.234,5 €", 2720),
        (lambda n: f"{n + 2} years" if n else "1 year", "1234.5 years", 1),
        (lambda n: f"{n}.25", "", 0.25),
        (lambda n: f"{n}", "", 0),
    ],
)
def test_the_format_of_numbers_is_told_by_all_cells(
    cell: Callable[[int], str], number_format: str, value: float
) -> None:
    """Signs, units, thousands and decimals are parts of the format."""
    cells = [cell(n) for n in range(60)]
    column = decide_type(profile_of("x", [*cells]), FileMarks(","))
    assert (column.kind, column.reading.format) == ("number", number_format)
    assert column.reading.read(cells[0]) == value
    assert column.warnings == []


def test_a_thousands_comma_is_shown_by_two_cells() -> None:
    """The cell 2,728 was once stored as 2.728, but 950 as 950."""
    cells: list[object] = [*(f"2,{n + 100}" for n in range(30)), "950", "32"]
    column = decide_type(profile_of("price", cells), FileMarks(","))
    assert column.reading.format == "1,234.5"
    assert column.reading.read("2,728") == 2728
    assert column.notes == ["written like 1,234.5", "2,100 is read as 2100"]
    for others in (["9500"], []):
        unclear: list[object] = [*cells[: len(others) * 30 or 1], *others, "7", "8"]
        found = decide_type(profile_of("price", unclear), FileMarks(","))
        assert found.reading.ambiguous == "2,100"


def test_numbers_that_stay_ambiguous_are_refused_until_the_user_decides(tmp_path: Path) -> None:
    """All cells are like 1.234 in a file with semicolons, which often have decimal commas."""
    cells = [f"1.{n + 100}" for n in range(60)]
    words = r"x: 1\.100 can be 1\.100 or 1100; add --decimal \. for the first, or --decimal ,"
    with pytest.raises(DataFileError, match=words):
        infer_column(tmp_path, cells)
    for mark, value in ((".", 1.1), (",", 1100)):
        chosen: Mark = "," if mark == "," else "."
        spec = infer_column(tmp_path, cells, decimal=chosen).spec
        assert spec.pick_inputs({"x": "1.100", "other": "1"})["x"] == value


def test_other_columns_of_the_file_decide(tmp_path: Path) -> None:
    """A file has one decimal mark."""
    points, commas = [f"1.{n + 100}" for n in range(60)], [f"1,{n + 100}" for n in range(60)]
    beside_commas = infer_column(tmp_path, points, other="0,").spec
    assert beside_commas.pick_inputs({"x": "1.100", "other": "0,5"}) == {"x": 1100, "other": 0.5}
    assert infer_column(tmp_path, commas, other="0,").spec.pick_inputs({"x": "1,100"})["x"] == 1.1
    assert infer_column(tmp_path, commas, other="0.").spec.pick_inputs({"x": "1,100"})["x"] == 1100


def test_an_ambiguous_target_is_refused_too(tmp_path: Path) -> None:
    """A wrong target is as bad as a wrong field."""
    file = tmp_path / "table.csv"
    file.write_text("x;y\n" + "".join(f"{n * n};1.{n + 100}\n" for n in range(60)), "utf-8")
    with pytest.raises(DataFileError, match=r"y: 1\.100 can be"):
        infer_dataset(file, "y")
    assert infer_dataset(file, "y", decimal=",").spec.pick_label({"y": "1.100"}) == "1100.0"


def test_numbers_in_several_units_are_no_number() -> None:
    """19M and 201k must not become 19 and 201."""
    cells: list[object] = [f"{n % 50}{'Mk'[n % 2]}" for n in range(200)]
    column = decide_type(profile_of("size", cells), FileMarks(","))
    assert column.kind == "choice"
    assert column.notes == ["numbers in several units (0M, 1k, 2M), so not a number"]


def test_a_repeated_word_among_numbers_means_missing() -> None:
    """A rare word is a mistake, which is reported with its line."""
    cells: list[object] = [n * n for n in range(60)]
    column = decide_type(profile_of("size", [*cells, *["Varies"] * 5]), FileMarks(","))
    assert (column.kind, column.missing, column.warnings) == ("number", {"Varies": 5}, [])
    column = decide_type(profile_of("area", [*cells, "Total"]), FileMarks(","))
    assert (column.kind, column.missing) == ("number", {})
    assert column.warnings[0].startswith(
        "1 cell is not a number as the others are, the first in line 62: 'Total'; import refuses"
    )


@pytest.mark.parametrize(
    ("numbers", "sentinels"),
    [
        ([*range(1, 50), -200, -200], [-200]),
        ([-5.5, -1, 0, 3, 8.5, 30, -200, -200], [-200]),
        ([*range(1, 90), 999, 999], [999]),
        ([*range(1, 40), -9, -9, -8, -8], [-9, -8]),
        ([*range(1, 60), 99, 99], [99]),
        ([*range(1, 500, 9), 9999, 9999], [9999]),
        ([*range(-15, 6), -99.99, -99.99], [-99.99]),
        ([*range(1, 7), 97, 97, 98, 98, 99, 99], [97, 98, 99]),
        ([*range(50, 900, 7), -300, -300, -100, -100, -100], []),
        ([*range(100), 99, 99], []),
        ([*range(86), 99, 99], []),
        ([-1, 0, 1] * 20, []),
        ([*range(1950, 2020), 1950], []),
        ([0, 0, 0, *range(50_000, 60_000, 500)], []),
        ([*range(-50, 50), -50], []),
        ([*range(1, 50), -200], []),
        ([2**n for n in range(12)] * 3, []),
        ([10**n for n in range(9)] * 3, []),
    ],
)
def test_a_repeated_value_far_from_all_others_means_missing(
    numbers: list[float], sentinels: list[float]
) -> None:
    """Ordinary data causes no false alarm."""
    counts = {number: numbers.count(number) for number in numbers}
    assert find_sentinels(counts, len(numbers)) == sentinels


def test_a_sentinel_is_written_into_the_file(tmp_path: Path) -> None:
    """A person sees how many rows have it, and can take it out."""
    cells = [str(n * n % 37) if n % 9 else "-200" for n in range(90)]
    inferred = infer_column(tmp_path, cells)
    assert inferred.spec.fields["x"].missing == ("-200",)
    assert 'missing = ["-200"]  # 10 rows' in inferred.text
    column = next(each for each in inferred.columns if each.name == "x")
    assert (column.missing, column.note) == (10, "read as missing: -200 (10)")
    assert inferred.warnings == [
        (
            "x: -200 in 10 rows lies far from all other values and is taken for missing; if it is a"
            " value, remove it from missing"
        )
    ]
    assert inferred.spec.pick_inputs({"x": "-200.0", "other": "1"})["x"] is None


def test_a_sentinel_of_the_target_is_reported_on_the_screen(tmp_path: Path) -> None:
    """The rows lose their label, which a person should know."""
    file = tmp_path / "table.csv"
    rows = [f"{n * n},{n % 37 / 10 if n % 9 else -200}\n" for n in range(90)]
    file.write_text("temp,co\n" + "".join(rows), "utf-8")
    inferred = infer_dataset(file, "co")
    assert inferred.spec.target_missing == ("-200",)
    assert inferred.warnings[0].startswith("co: -200 is taken for a missing value, so 10 rows")


def test_a_unit_in_another_case_is_another_unit() -> None:
    """A megawatt is a billion milliwatts."""
    column = decide_type(
        profile_of("power", [f"{n % 9 + 400} mW" if n % 3 else "4 MW" for n in range(60)]),
        FileMarks(","),
    )
    assert column.kind == "choice"
    assert "several units" in column.notes[0]


@pytest.mark.parametrize(("cell", "unit"), [("0.17", "%"), ("17", "km")])
def test_numbers_without_the_unit_of_the_others_are_counted(cell: str, unit: str) -> None:
    """Import refuses them, and the person should know it before."""
    cells: list[object] = [f"{n} {unit}" if n % 3 else cell for n in range(60)]
    column = decide_type(profile_of("x", cells), FileMarks(","))
    assert (column.kind, column.reading.read(cell)) == ("number", None)
    assert column.warnings[0].startswith(
        f"20 cells have no {unit!r}, unlike the others, the first in line 2: {cell!r}; import"
    )


def test_words_that_say_how_much_are_doubted() -> None:
    """A value below 5 is no missing value."""
    cells: list[object] = [("<5", ">200", n * n)[n % 3] for n in range(60)]
    column = decide_type(profile_of("crp", cells), FileMarks(","))
    assert column.missing == {"<5": 20, ">200": 20}
    assert column.doubts["<5"].startswith("'<5' in 20 rows is taken for missing")
    words = decide_type(
        profile_of("x", [("k.A.", "unbekannt", "n.b.", n * n)[n % 4] for n in range(60)]),
        FileMarks(","),
    )
    assert (words.kind, sum(words.missing.values()), words.doubts) == ("number", 45, {})


def test_a_lone_minus_one_and_counted_days_are_reported() -> None:
    """They stay numbers."""
    ages = decide_type(
        profile_of("age", [n % 60 + 18 if n % 9 else -1 for n in range(90)]), FileMarks(",")
    )
    assert "-1 in 10 rows is the only value below zero" in ages.warnings[0]
    days = decide_type(profile_of("Date", [44929 + 9 * n for n in range(60)]), FileMarks(","))
    assert "44929 may be a day that a program counts" in days.warnings[0]


def test_free_may_mean_a_price_of_zero() -> None:
    """It is not silently missing."""
    cells: list[object] = ["free" if n % 10 == 0 else f"${n}.50" for n in range(60)]
    column = decide_type(profile_of("price", cells), FileMarks(","))
    assert column.missing == {"free": 6}
    assert column.doubts["free"] == "'free' in 6 rows is taken for missing; if it means 0, write 0"


def test_codes_of_a_digit_and_a_letter_are_no_numbers_in_units() -> None:
    """They are the classes of a school."""
    cells: list[object] = [("6A", "6B", "5A", "5B")[n % 4] for n in range(60)]
    column = decide_type(profile_of("class", cells), FileMarks(","))
    assert (column.kind, column.notes) == ("choice", [])


def test_marks_of_footnotes_after_numbers_are_reported() -> None:
    """The column would silently be one of choices."""
    cells: list[object] = [("4.5*", "4.5", "7", "8 (a)")[n % 4] for n in range(60)]
    column = decide_type(profile_of("length", cells), FileMarks(","))
    assert column.warnings == ["4.5* is a number with a mark, so it is a choice; remove the mark"]
