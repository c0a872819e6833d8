"""Tests of how the cells of Excel workbooks are read."""

from __future__ import annotations

import zipfile
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest
from openpyxl import Workbook
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from db.errors import DataFileError
from db.files.reader import open_source

from .workbook import (
    PARTS,
    SHEET,
    TABLE,
    read,
    sheet_xml,
    texts_xml,
    values_of,
    write_parts,
    write_rows,
)

DAY = date(2024, 1, 31)
CELLS: dict[str, tuple[object, object]] = {
    "whole number": (7, 7),
    "decimal number": (2.5, 2.5),
    "true": (True, True),
    "date": (DAY, "2024-01-31"),
    "midnight": (datetime(2024, 1, 31), "2024-01-31"),  # noqa: DTZ001
    "moment": (datetime(2024, 1, 31, 8, 30), "2024-01-31T08:30:00"),  # noqa: DTZ001
    "time of day": (time(8, 30), "08:30:00"),
    "duration": (timedelta(hours=30), 108000.0),
    "number kept as text": ("007", "007"),
    "line break": ("two\nlines", "two\nlines"),
    "white space around": ("  é ", "é"),
    "error": ("#N/A", "#N/A"),
}


def one_sheet(rows: list[list[Any]]) -> Any:  # noqa: ANN401
    """Return the sheet of a new workbook; the caller saves its `parent`."""
    sheet = Workbook().active
    assert sheet is not None
    for row in rows:
        sheet.append(row)
    return sheet


@pytest.mark.parametrize(("cell", "value"), CELLS.values(), ids=CELLS)
def test_a_cell_keeps_its_type(tmp_path: Path, cell: object, value: object) -> None:
    """Dates are ISO text, and durations are seconds."""
    path = write_rows(tmp_path / "t.xlsx", [["a", "b"], [cell, 1]])
    assert values_of(path) == [{"a": value, "b": 1}]
    assert type(values_of(path)[0]["a"]) is type(value)


def test_decimal_numbers_are_those_that_were_written(tmp_path: Path) -> None:
    """Numbers of two digits are the same as in CSV."""
    numbers = [1 / 3, *(n / 100 for n in range(1, 3000, 7))]
    path = write_rows(tmp_path / "t.xlsx", [["a", "b"], *([number, 1] for number in numbers)])
    assert [row["a"] for row in values_of(path)] == numbers


def test_an_empty_cell_is_a_missing_value(tmp_path: Path) -> None:
    """A cell of blanks is empty, and a row without cells is no row."""
    path = write_rows(tmp_path / "t.xlsx", [["a", "b"], [1, None], [], ["  ", 2]])
    assert [(row.line, row.values) for row in read(path)[1]] == [(2, {"a": 1}), (4, {"b": 2})]


def test_dates_since_1904_are_read_as_such(tmp_path: Path) -> None:
    """Workbooks of old Macs count days from another one."""
    sheet = one_sheet([["a", "b"], [DAY, 1]])
    sheet.parent.epoch = CALENDAR_MAC_1904
    sheet.parent.save(tmp_path / "t.xlsx")
    with zipfile.ZipFile(tmp_path / "t.xlsx") as archive:
        assert b"<v>43860</v>" in archive.read(SHEET)
    assert values_of(tmp_path / "t.xlsx")[0]["a"] == "2024-01-31"


def test_the_name_of_the_file_does_not_matter(tmp_path: Path) -> None:
    """The first bytes decide."""
    assert values_of(write_parts(tmp_path / "data", {})) == [{"area": 32, "rent": 746}]


def test_lines_above_the_table_comments_and_names_are_understood_as_in_csv(tmp_path: Path) -> None:
    """The lines in notes and of rows are those of the sheet."""
    rows: list[list[Any]] = [
        ["Report 2024"],
        [],
        ["# by hand"],
        ["town", "area", "area", None, 2023],
        ["Lyon", 32, 33, "x", 1.5],
        ["# checked"],
        ["Lille", 47, 48, None, 2.5],
    ]
    layout, found = read(write_rows(tmp_path / "t.xlsx", rows))
    assert (layout.header_line, layout.delimiter) == (4, "")
    assert layout.names == ("town", "area", "area_2", "column_4", "2023")
    assert [row.line for row in found] == [5, 7]
    assert found[0].values == {
        "town": "Lyon",
        "area": 32,
        "area_2": 33,
        "column_4": "x",
        "2023": 1.5,
    }
    assert [note.partition(";")[0] for note in layout.notes] == [
        "line 1 (Report 2024) is a title and was left out",
        "lines that start with # and are no full rows were left out as comments: lines 3, 6",
        "two columns are named area",
        "column 4 has no name",
    ]


def test_a_row_that_repeats_the_header_or_is_too_long_is_bad(tmp_path: Path) -> None:
    """The fault has the sheet's row number."""
    rows: list[list[Any]] = [
        ["a", "b"],
        *[[n, n] for n in range(600)],
        ["a", "b"],
        [1, 2, "far"],
    ]
    found = read(write_rows(tmp_path / "t.xlsx", rows))[1]
    assert [(row.line, row.fault) for row in found if row.fault] == [
        (602, "repeats the columns' names; delete the row"),
        (603, "has a cell in column 3, the header has 2: far"),
    ]


def test_a_sheet_without_a_header_is_refused(tmp_path: Path) -> None:
    """As a CSV file is."""
    path = write_rows(tmp_path / "t.xlsx", [[n, n * 2.5, "x"] for n in range(9)])
    with pytest.raises(DataFileError, match="looks like a row; add a line with the columns' names"):
        read(path)


def test_the_first_visible_sheet_with_cells_is_read_and_the_others_are_named(
    tmp_path: Path,
) -> None:
    """An empty or hidden sheet before it is passed over."""
    book = Workbook()
    hidden, first, second = (book.create_sheet(name) for name in ("Lists", "Data", "More"))
    hidden.sheet_state = "hidden"
    for sheet in (hidden, first, second):
        sheet.append([sheet.title, "n"])
        sheet.append(["x", 1])
    book.save(tmp_path / "t.xlsx")
    layout, rows = read(tmp_path / "t.xlsx")
    assert [row.values for row in rows] == [{"Data": "x", "n": 1}]
    assert layout.notes == (
        "the sheet Data is read; these have cells too and are not read: More, Lists",
    )


def test_a_workbook_without_cells_is_refused(tmp_path: Path) -> None:
    """It says so."""
    with pytest.raises(DataFileError, match="has no sheet with cells"):
        read(write_rows(tmp_path / "t.xlsx", []))


def test_the_stored_result_of_a_formula_is_read(tmp_path: Path) -> None:
    """A result that is an empty text is a missing value."""
    row = (
        '<row r="3"><c r="A3"><f>A2+1</f><v>33</v></c><c r="B3" t="str"><f>""</f><v></v></c></row>'
    )
    path = write_parts(tmp_path / "t.xlsx", {SHEET: sheet_xml(TABLE + row)})
    assert values_of(path)[1] == {"area": 33}


def test_a_formula_without_a_result_makes_its_row_bad(tmp_path: Path) -> None:
    """Nothing is evaluated; the other rows are read."""
    path = write_rows(tmp_path / "t.xlsx", [["a", "b"], [1, "=A2*2"], [3, 4]])
    bad, good = read(path)[1]
    assert (bad.line, bad.values) == (2, {"a": 1})
    assert bad.fault == (
        "B2 has a formula without a result; open the file in a spreadsheet program and save it"
    )
    assert good.values == {"a": 3, "b": 4}


def test_results_that_were_never_calculated_are_named(tmp_path: Path) -> None:
    """XlsxWriter writes 0 for each formula, and asks the next program to calculate."""
    book = PARTS["xl/workbook.xml"].replace(
        "</workbook>", '<calcPr fullCalcOnLoad="1"/></workbook>'
    )
    row = '<row r="3"><c r="A3"><v>1</v></c><c r="B3"><f>A3*2</f><v>0</v></c></row>'
    path = tmp_path / "t.xlsx"
    write_parts(path, {SHEET: sheet_xml(TABLE + row), "xl/workbook.xml": book})
    assert "has not calculated its formulas" in read(path)[0].notes[0]
    write_parts(path, {"xl/workbook.xml": book})
    assert read(path)[0].notes == ()


def test_percent_and_long_numbers_are_named(tmp_path: Path) -> None:
    """They are read as they are stored."""
    sheet = one_sheet([["rate", "id"], [0.25, 1234567890123456]])
    sheet["A2"].number_format = "0.0%"
    sheet.parent.save(tmp_path / "t.xlsx")
    layout, rows = read(tmp_path / "t.xlsx")
    assert rows[0].values["rate"] == 0.25
    assert layout.notes == (
        "cells that show percent are read as they are stored, 25 % as 0.25: rate",
        "spreadsheets round numbers of more than 15 digits; keep such ids as texts: id",
    )


def test_merged_cells_have_their_value_in_the_first_of_them(tmp_path: Path) -> None:
    """Hidden rows are rows."""
    sheet = one_sheet([["a", "b"], ["x", 1], ["y", 2]])
    sheet.merge_cells("A2:A3")
    sheet.row_dimensions[3].hidden = True
    sheet.parent.save(tmp_path / "t.xlsx")
    assert values_of(tmp_path / "t.xlsx") == [{"a": "x", "b": 1}, {"b": 2}]


def test_excel_writes_line_ends_of_texts_as_escapes(tmp_path: Path) -> None:
    """Another escape stays as it is."""
    texts = texts_xml("<si><t>a_x000D_\nb_x0041_</t></si>")
    row = '<row r="3"><c r="A3" t="s"><v>0</v></c><c r="B3"><v>1</v></c></row>'
    parts = {"xl/sharedStrings.xml": texts, SHEET: sheet_xml(TABLE + row)}
    assert values_of(write_parts(tmp_path / "t.xlsx", parts))[1]["area"] == "a\r\nb_x0041_"


def test_a_workbook_is_read_again_and_its_digest_is_that_of_its_rows(tmp_path: Path) -> None:
    """A workbook that was only saved again has other bytes."""
    one = write_parts(tmp_path / "one.xlsx", {})
    two = write_parts(tmp_path / "two.xlsx", {"docProps/app.xml": "<changed/>"})
    with open_source(one) as source, open_source(two) as other:
        assert list(source.rows()) == list(source.rows()) == list(other.rows())
        assert source.digest() == other.digest()
        assert source.name == str(one)
