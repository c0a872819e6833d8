"""Tests that the work for a hostile data file is bounded: its time is linear in its length.

Without these bounds, each case took minutes to hours or gigabytes instead of a second.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from db.errors import DataFileError
from db.files.reader import MAX_ROW_CHARACTERS, read_layout, read_rows

from .data_file import error_message, layout, rows, write_data

MANY = 100_000
HOSTILE = {
    "a header of delimiters": "," * MANY + "\na,b\n",
    "many columns without a name": "a" + "," * MANY + "\n1,2\n3,4\n",
    "many columns of one name": "a," * MANY + "a\n",
    "many columns of a name and its number": "a,a_2," * MANY + "b\n",
    "rows of one width each": "".join("x," * n + "x\n" for n in range(400)),
    "a quotation mark in each line": '"a,b\n' * MANY,
    "a stray quotation mark in each line": '"a"b\tc\n' * MANY,
    "a quotation mark closed in the next line": "a,b\n" + '"x,1\ny",2\n' * MANY,
    "apostrophes": "'" * MANY + "\n" + "'a,b\n" * MANY,
    "cells of an apostrophe": "'," * MANY + "\n" + "',b\n" * 9,
    "long numbers": "a,b\n" + f"{'1' * MANY},{'2' * MANY}x\n" * 4,
    "white space": " " * MANY + "\na,b\n" + f"{' ' * MANY}1,2\n",
    "blank lines": "\n" * MANY + "a,b\n1,2\n",
    "comments": "# a\n" * MANY + "a,b\n1,2\n",
    "nested objects with long names": '{"' + '":{"'.join(["k" * 500] * 500) + '":1' + "}" * 500,
    "many members deep inside": (
        '{"' + '":{"'.join(["k" * 500] * 100) + '":{' + ",".join(f'"{n}":1' for n in range(50_000))
    )
    + "}" * 101,
    "many members in an object": '{"a":{' + ",".join(f'"{n}":1' for n in range(MANY // 2)) + "}}",
}


def messages(path: Path) -> Iterator[str]:
    """Yield all that is said about a file: notes, faults and errors."""
    try:
        yield from read_layout(path).notes
        for row in read_rows(path):
            yield row.fault
    except DataFileError as error:
        yield str(error).removeprefix(str(path))


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_file_is_read_or_refused_with_short_messages(tmp_path: Path, data: str) -> None:
    """A message shows only a part of a long cell, and names only some of many columns."""
    assert max(map(len, messages(write_data(tmp_path, data))), default=0) < 500


def test_many_columns_of_one_name_are_numbered(tmp_path: Path) -> None:
    """The notes name only some of them."""
    found = layout(tmp_path, "a," * 9999 + "a\n")
    assert (found.names[0], found.names[-1]) == ("a", "a_10000")
    (note,) = found.notes
    assert note.endswith("are read as a_2, a_3, a_4, a_5, a_6 and 9,994 more")


def test_long_names_of_nested_members_are_a_fault(tmp_path: Path) -> None:
    """Each member repeats the names around it."""
    (row,) = rows(tmp_path, HOSTILE["many members deep inside"])
    assert row.fault == "its names are too long, because it is nested too deeply"
    (row,) = rows(tmp_path, HOSTILE["many members in an object"])
    assert len(row.values) == MANY // 2


def test_a_row_longer_than_the_limit_is_refused_with_its_line(tmp_path: Path) -> None:
    """The file is not read further, whether the row has one line or many."""
    long = "x" * MAX_ROW_CHARACTERS
    assert error_message(tmp_path, f"a,b\n1,2\n{long}\n") == (
        "line 3: has more than 1,000,000 characters"
    )
    assert error_message(tmp_path, f'{{"a": 1}}\n{{"a": "{long}"}}\n') == (
        "line 2: has more than 1,000,000 characters"
    )
    assert error_message(tmp_path, "a,b\n1,2\n" + '"x\n",' * MANY * 3) == (
        "line 3: the row has more than 1,000,000 characters; is a quotation mark opened and never"
        " closed?"
    )
