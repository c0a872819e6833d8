"""Tests of the line with the columns' names in CSV files: which one it is, and the names."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from .data_file import error_message, faults, layout, numbered, row_values, rows

TOWNS = ("Lille", "Lyon")
AREAS = [(20 + 7 * number % 60, TOWNS[number % 2]) for number in range(30)]
# Lines without the header: numbers and choices; labels and texts.
RENTS = "".join(f"{area},{town},{area * 10}\n" for area, town in AREAS)
MESSAGES = "".join(f"{'ham' if n % 3 else 'spam'},hello there {n}\n" for n in range(30))
NAMES = ("area", "town", "rent")


def numbers(count: int, low: int, high: int) -> str:
    """Return 20 rows of so many whole numbers between two limits."""
    rng = random.Random(1)
    cells = [[str(rng.randint(low, high)) for _ in range(count)] for _ in range(20)]
    return "".join(",".join(row) + "\n" for row in cells)


def test_white_space_and_line_breaks_in_a_name_become_one_space(tmp_path: Path) -> None:
    """A header of several lines counts for the line numbers of the rows."""
    data = '"Area\r\n (m2)",  town ,"Rent\nper\u00a0 month"\r\n24,Lille,240\r\n'
    assert numbered(tmp_path, data) == [
        (4, {"Area (m2)": "24", "town": "Lille", "Rent per month": "240"})
    ]
    assert layout(tmp_path, data).notes == ()


def test_a_name_with_a_control_character_is_refused(tmp_path: Path) -> None:
    """Nobody could write it in a dataset's file."""
    message = error_message(tmp_path, "a,b\x07\n1,2\n")
    assert message == "line 1: the name of column 2 contains the control character U+0007"


def test_a_name_that_occurs_again_gets_an_unused_number(tmp_path: Path) -> None:
    """The names in the header stay with their columns, and the notes tell what was renamed."""
    data = "amount,ok,amount,amount_2,amount, ok \n1,2,3,4,5,6\n"
    expected = {"amount": "1", "ok": "2", "amount_3": "3", "amount_2": "4", "amount_4": "5"}
    assert row_values(tmp_path, data) == [{**expected, "ok_2": "6"}]
    found = layout(tmp_path, data)
    assert found.names == ("amount", "ok", "amount_3", "amount_2", "amount_4", "ok_2")
    assert found.notes == (
        "3 columns are named amount; the later ones are read as amount_3, amount_4",
        "two columns are named ok; the second is read as ok_2",
    )


def test_a_column_without_a_name_is_named_by_its_position_where_it_is_filled(
    tmp_path: Path,
) -> None:
    """Row numbers often have no name, and empty columns at the end have no values either."""
    data = ",label,,column_3,,\n1,ham,x,y,,\n2,spam,,z,,\n"
    assert row_values(tmp_path, data) == [
        {"column_1": "1", "label": "ham", "column_3_2": "x", "column_3": "y"},
        {"column_1": "2", "label": "spam", "column_3": "z"},
    ]
    found = layout(tmp_path, data)
    assert found.names == ("column_1", "label", "column_3_2", "column_3")
    (note,) = found.notes
    assert note == (
        "columns 1, 3, 5, 6 have no names; where they have values, they are read as column_1,"
        " column_3_2, column_5, column_6"
    )


def test_empty_columns_at_the_end_are_left_out(tmp_path: Path) -> None:
    """A spreadsheet adds commas to each line."""
    lines = "".join(line + ",,\n" for line in MESSAGES.splitlines())
    assert layout(tmp_path, f"label,text,,\n{lines}").names == ("label", "text")
    assert row_values(tmp_path, f"label,text,,\n{lines}")[1] == {
        "label": "ham",
        "text": "hello there 1",
    }
    later = f"label,text,,\n{lines * 30}ham,a text,with a comma,\n"
    assert row_values(tmp_path, later)[-1]["column_3"] == "with a comma"


@pytest.mark.parametrize(
    "above",
    [
        "Sales report 2024\n",
        "Sales report 2024\n\n",
        "Sales report 2024,,\n",
        "Sales report 2024,,\n,,\n",
        "Sales report, 2024\n",
        '"Sales, ""all"" towns\nof 2024"\n',
        "Sales report; draft; 2024\n",
        "Sales, by town, and month, of 2024\n\n",
        '"Sales" report\n\n',
        '"Sales report\n\n',
    ],
)
def test_a_title_above_the_header_is_left_out(tmp_path: Path, above: str) -> None:
    """Its line is named in a note, and the rows keep the lines of the file."""
    first = above.count("\n") + 2
    data = f"{above}area,town,rent\n{RENTS}"
    read = numbered(tmp_path, data)
    assert read[0] == (first, {"area": "20", "town": "Lille", "rent": "200"})
    assert len(read) == len(AREAS)
    found = layout(tmp_path, data)
    assert (found.names, found.header_line) == (NAMES, first - 1)
    (note,) = found.notes
    assert note.startswith("line 1")
    assert note.endswith("is a title and was left out")


@pytest.mark.parametrize("title", ["Messages of 2024\n\n", "Messages of 2024,\n", "Messages\n"])
def test_a_title_above_texts_is_left_out(tmp_path: Path, title: str) -> None:
    """No column of numbers shows where the rows begin."""
    data = f"{title}label,text\n{MESSAGES}"
    assert layout(tmp_path, data).names == ("label", "text")
    assert len(row_values(tmp_path, data)) == len(AREAS)


def test_several_lines_above_the_header_are_named_in_one_note(tmp_path: Path) -> None:
    """Exports tell there who made them; such lines may have another number of cells."""
    data = f"Report\nby,Anna\n\nfrom 4 May, 2024, to,today\n\narea,town,rent\n{RENTS}"
    assert layout(tmp_path, data).notes == (
        "lines 1, 2, 4 are above the columns' names and were left out",
    )
    assert numbered(tmp_path, data)[0][0] == 7
    few = "by,Anna\non,4 May\nat,Lille\n\narea,town,rent\n24,Lille,240\n68,Lyon,680\n"
    assert layout(tmp_path, few).names == NAMES


def test_lines_that_fill_fewer_cells_than_the_header_are_titles(tmp_path: Path) -> None:
    """A spreadsheet adds commas to them, so that each line has the cells of a row."""
    data = f"Sales,,\nYear,2024,\n,,\narea,town,rent\n{RENTS}"
    assert layout(tmp_path, data).names == NAMES
    assert numbered(tmp_path, data)[0][0] == 5
    unnamed = f"area,town,\n{RENTS}"
    assert layout(tmp_path, unnamed).names == ("area", "town", "column_3")


def test_comments_are_left_out_above_the_header_and_below(tmp_path: Path) -> None:
    """A comment has another number of cells than a row; a row that starts with # is a row."""
    data = (
        '# made by hand\n# it\'s "quoted", see, 4 May, 2024\narea,town,rent\n'
        "24,Lille,240\n#1,Lyon,300\n# read on\n# on, and on\n68,Lyon,680\n# end\n"
    )
    assert numbered(tmp_path, data) == [
        (4, {"area": "24", "town": "Lille", "rent": "240"}),
        (5, {"area": "#1", "town": "Lyon", "rent": "300"}),
        (8, {"area": "68", "town": "Lyon", "rent": "680"}),
    ]
    (note,) = layout(tmp_path, data).notes
    assert note == (
        "lines that start with # and are no full rows were left out as comments:"
        " lines 1, 2, 6, 7, 9"
    )


def test_a_late_comment_is_a_fault_if_the_first_rows_have_none(tmp_path: Path) -> None:
    """It may be a broken row, and no note would tell that it was left out."""
    data = "area,town,rent\n" + RENTS * 20 + "#2\n"
    assert faults(tmp_path, data) == [
        (602, "has 1 cell, the header has 3: #2; delete the line if it is a comment")
    ]


def test_a_comment_may_have_the_width_of_the_table(tmp_path: Path) -> None:
    """The line below it has words above numbers."""
    data = f"# areas, towns, and rents\narea,town,rent\n{RENTS}"
    assert layout(tmp_path, data).names == NAMES


@pytest.mark.parametrize("rest", [f"#area,town,rent\n{RENTS}", f"#label,text\n{MESSAGES}"])
def test_a_header_may_start_with_a_hash(tmp_path: Path, rest: str) -> None:
    """Some programs mark the header so."""
    found = layout(tmp_path, rest)
    assert found.names[0].startswith("#")
    assert (found.header_line, found.notes) == (1, ())


def test_texts_that_start_with_a_hash_are_rows(tmp_path: Path) -> None:
    """Posts begin with tags."""
    data = "text,label\n" + "".join(f"#tag{n} is it,{n % 2}\n" for n in range(20))
    assert len(row_values(tmp_path, data)) == 20
    assert row_values(tmp_path, "text\n#one\n#two\n") == [{"text": "#one"}, {"text": "#two"}]


@pytest.mark.parametrize(
    ("data", "line"),
    [
        (RENTS, "line 1 (20, Lille, 200)"),
        (MESSAGES, "line 1 (spam, hello there 0)"),
        (",Lille,no\n" + "".join(f"{n},Lille,no\n{n},Lyon,yes\n" for n in range(9)), "line 1"),
        ("?,Lille,200\n" + RENTS, "line 1 (?, Lille, 200)"),
        ("".join(f"2024-01-{n:02},note {n}\n" for n in range(10, 30)), "line 1 (2024-01-10"),
        ("1800 CC,a\n" + "".join(f"{n}00 CC,b\n" for n in range(10, 30)), "line 1 (1800 CC, a)"),
        ("".join(f"{n}\n" for n in range(9)), "line 1 (0)"),
        ("yes\nno\nyes\nno\n", "line 1 (yes)"),
        (numbers(3, 0, 99), "line 1 ("),
        (f"\n\n{RENTS}", "line 3 (20, Lille, 200)"),
        (f"Sales report 2024\n\n{RENTS}", "line 3 (20, Lille, 200)"),
    ],
)
def test_a_file_without_column_names_is_refused(tmp_path: Path, data: str, line: str) -> None:
    """Its first row would become the names, and would be missing."""
    message = error_message(tmp_path, data)
    assert message.startswith(line)
    assert message.endswith("looks like a row; add a line with the columns' names above it")


@pytest.mark.parametrize(
    "data",
    [
        f"2019,2020,2021\n{numbers(3, 100, 9000)}",
        f"2019,2020\n{numbers(2, 1, 9)}",
        "town,2020\n" + "".join(f"{town},{area}\n" for area, town in AREAS),
        f"0,1,2,3\n{numbers(4, 0, 99)}",
        f"1100,1102,1104,1106\n{numbers(4, 1000, 1200)}",
        f"total,1,2\n{numbers(3, 0, 9)}",
        f"0-17,18-25,26-99\n{numbers(3, 0, 99)}",
    ],
)
def test_numbers_as_column_names_are_accepted_if_they_are_a_series(
    tmp_path: Path, data: str
) -> None:
    """Years above amounts, counted columns, and groups of ages are names."""
    names = tuple(data.splitlines()[0].split(","))
    assert layout(tmp_path, data).names == names
    assert len(row_values(tmp_path, data)) >= 20


@pytest.mark.parametrize(
    "data",
    [
        f"2019,2020,2021\n{numbers(3, 1950, 2020)}",
        f"2021,2020,2019\n{numbers(3, 100, 9000)}",
        f"3,4,5\n{numbers(3, 0, 9)}",
        f"0,5,7\n{numbers(3, 0, 9)}",
        "1,2,3\n" + "".join(f"{n},{n + 1},{n + 2}\n" for n in range(20)),
        "town,50\n" + "".join(f"{town},{area}\n" for area, town in AREAS),
    ],
)
def test_numbers_like_those_below_them_are_a_row(tmp_path: Path, data: str) -> None:
    """Years above years are as likely to be values."""
    assert "looks like a row" in error_message(tmp_path, data)


@pytest.mark.parametrize(
    "data",
    [
        "a,b\nx,y\n",
        "a,b\n1,2\n",
        ",town,ok\n" + "".join(f"{n},Lille,yes\n{n},Lyon,no\n" for n in range(9)),
        "age,town\nunknown,Lille\n24,Lyon\n25,Lyon\n26,Lille\n",
        "spam,length\n" + "".join(f"{'spam' if n % 3 else 'ham'},{n}\n" for n in range(30)),
        f"label,text\n{MESSAGES}label,text\n",
    ],
)
def test_a_header_is_not_mistaken_for_a_row(tmp_path: Path, data: str) -> None:
    """The reader refuses a file only for evidence."""
    assert layout(tmp_path, data).header_line == 1
    assert rows(tmp_path, data)[0].line == 2


@pytest.mark.parametrize(
    ("data", "line", "cells"),
    [
        ("age;town\n" + "".join(f"{area},{town}\n" for area, town in AREAS), 1, "2 cells"),
        ("town,rent\n" + RENTS, 2, "3 cells"),
        ("code,area,town,rent\n" + RENTS, 4, "3 cells"),
        ("price\n" + "".join(f"{n},5\n" for n in range(20)), 1, "2 cells"),
        ("#code\ttown\trent\tnote\n" + "".join(f"x{n}\tt\tr{n}\n" for n in range(9)), 4, "3 cells"),
    ],
)
def test_a_header_with_another_number_of_cells_than_the_rows_is_refused(
    tmp_path: Path, data: str, line: int, cells: str
) -> None:
    """Either it is a title, and the first row would become the header, or the rows are wrong."""
    message = error_message(tmp_path, data)
    assert message.startswith("line 1 (")
    assert f"has {line} cell" in message
    assert f"has {cells}, so it is not clear which has the columns' names" in message


@pytest.mark.parametrize("second", ["m2,name,EUR", "m2,,EUR"])
def test_two_lines_like_headers_are_refused(tmp_path: Path, second: str) -> None:
    """A line of units would turn columns of numbers into texts."""
    message = error_message(tmp_path, f"area,town,rent\n{second}\n{RENTS}")
    assert message.startswith("line 1 (area, town, rent) and line 2 (m2, ")
    assert message.endswith("both look like the columns' names; keep only one of these lines")


def test_a_title_instead_of_names_is_refused(tmp_path: Path) -> None:
    """It has the cells of a header, but only one is filled."""
    message = error_message(tmp_path, f"Sales report 2024,,\n{RENTS}")
    assert message == (
        "line 1 (Sales report 2024) names only one column of 3; name each column there"
    )
