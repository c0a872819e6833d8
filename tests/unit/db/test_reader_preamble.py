"""Tests of titles and facts that stand above the line with the columns' names."""

from __future__ import annotations

from pathlib import Path

import pytest

from .data_file import error_message, layout

ROWS = "".join(f"{20 + 7 * n % 60},{('Lille', 'Lyon')[n % 2]},{n * 31 % 97}\n" for n in range(20))
WIDE_ROWS = ROWS.replace(",L", ",4,L")


@pytest.mark.parametrize(
    "preamble",
    [
        "Report,,\nOffice Lyon,,\n",
        "Report,,\nOffice Lyon,,\n,,\n",
        "Sales 2024,,\nFrom: 01.02.2024,,\nTo: 01.03.2024,,\n\n",
    ],
)
@pytest.mark.parametrize("delimiter", [",", ";"])
def test_several_titles_above_the_names_are_left_out(
    tmp_path: Path, preamble: str, delimiter: str
) -> None:
    """Spreadsheets fill the lines with empty cells."""
    data = f"{preamble}size,town,rent\n{ROWS}".replace(",", delimiter)
    found = layout(tmp_path, data)
    assert found.names == ("size", "town", "rent")
    assert "above the columns' names and were left out" in found.notes[0]


def test_facts_above_the_names_are_not_the_names(tmp_path: Path) -> None:
    """Measuring devices write a name and a value in each line."""
    facts = "Station:,Lyon,,\nHeight:,45.7,,\nPeriod:,2020-2021,,\nNote,,,\n"
    found = layout(tmp_path, f"{facts}size,x,town,rent\n{WIDE_ROWS}")
    assert found.names == ("size", "x", "town", "rent")
    assert found.header_line == 5


def test_a_row_below_short_rows_is_not_taken_for_the_names(tmp_path: Path) -> None:
    """The header names two of four columns, and the first rows fill only these."""
    data = f"id,town,,\n1,Nice,,\n2,Lyon,,\n{WIDE_ROWS}"
    assert layout(tmp_path, data).header_line == 1


def test_the_numbers_of_rows_and_columns_are_not_names(tmp_path: Path) -> None:
    """Some libraries write them, and the names of the classes, above the rows."""
    message = error_message(tmp_path, f"20,3,a,b\n{WIDE_ROWS.replace('Lille', '1')}")
    assert message == (
        "line 1 (20, 3, a, b) gives the numbers of rows and columns; name each column there"
    )


def test_a_title_of_two_words_does_not_make_blanks_separate_cells(tmp_path: Path) -> None:
    """Each line has one blank in it, which is part of a text."""
    times = "".join(f"{number},2024-01-{number:02} 10:15\n" for number in range(1, 20))
    found = layout(tmp_path, f"Sales report\n\nid,sold at\n{times}")
    assert (found.delimiter, found.names) == (",", ("id", "sold at"))
