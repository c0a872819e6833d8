"""Tests of data files: CSV, JSON arrays and JSON lines, large or damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import DataFileError
from db.files.reader import SourceRow, check_rows, read_rows

# The number of characters of a JSON array that are read at a time.
WINDOW = 1 << 16

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
values = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False, allow_infinity=False),
    texts,
)
objects = st.lists(st.dictionaries(texts, values, max_size=5), max_size=8)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder that all generated examples write into, one after the other."""
    return tmp_path_factory.mktemp("data")


def rows(folder: Path, data: str | bytes) -> list[SourceRow]:
    """Return the rows of a file with this content."""
    path = folder / "data"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(read_rows(path))


def row_values(folder: Path, data: str | bytes) -> list[dict[str, Any]]:
    """Return the values of the rows of a file without faults."""
    source_rows = rows(folder, data)
    assert [row.fault for row in source_rows if row.fault] == []
    return [row.values for row in source_rows]


def error_message(folder: Path, data: str | bytes) -> str:
    """Return the error about a file that cannot be read, without the file's name."""
    with pytest.raises(DataFileError) as caught:
        rows(folder, data)
    message = str(caught.value)
    assert message.startswith(f"{folder / 'data'}: ")
    assert "\n" not in message
    return message.removeprefix(f"{folder / 'data'}: ")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_is_read_with_any_delimiter_and_line_ends(
    folder: Path, delimiter: str, end: str
) -> None:
    """Spreadsheets of different countries use different ones."""
    lines = [("wish", "room"), ("a view", "big"), ("silence", "small")]
    data = end.join(map(delimiter.join, lines)) + end
    assert [(row.line, row.values) for row in rows(folder, data)] == [
        (2, {"wish": "a view", "room": "big"}),
        (3, {"wish": "silence", "room": "small"}),
    ]


@pytest.mark.parametrize("data", ["wish\na view\n", '[{"wish": "a view"}]', '{"wish": "a view"}\n'])
def test_a_byte_order_mark_is_not_part_of_a_name(folder: Path, data: str) -> None:
    """Spreadsheets write one at the start of a file."""
    assert row_values(folder, b"\xef\xbb\xbf" + data.encode()) == [{"wish": "a view"}]


def test_quoted_cells_may_contain_delimiters_quotes_and_line_ends(folder: Path) -> None:
    """Line ends inside cells count for the line numbers of later rows."""
    data = 'wish,room\n"a, b",big\n"two\nlines",big\n"say ""hello""\n\n",small\nlast,big\n'
    assert [(row.line, row.values["wish"]) for row in rows(folder, data)] == [
        (2, "a, b"),
        (3, "two\nlines"),
        (5, 'say "hello"\n\n'),
        (8, "last"),
    ]


def test_a_row_with_too_few_or_too_many_cells_is_a_fault(folder: Path) -> None:
    """The fault has the row's line, and the other rows are read."""
    source_rows = rows(folder, 'wish,room\n"a\nb",big\nalone\n\na,b,c\nlast,big\n')
    assert [(row.line, row.fault) for row in source_rows] == [
        (2, ""),
        (4, "has 1 cells, the header has 2"),
        (6, "has 3 cells, the header has 2"),
        (7, ""),
    ]


def test_an_empty_cell_is_a_missing_value(folder: Path) -> None:
    """The default of the field can then be used."""
    assert row_values(folder, 'wish,room,age\na view,,\n"  ",big,3\n') == [
        {"wish": "a view"},
        {"room": "big", "age": "3"},
    ]


def test_column_names_are_trimmed_and_must_be_unique(folder: Path) -> None:
    """With two columns of one name, it is unclear which is meant."""
    assert row_values(folder, " wish , room\na,b\n") == [{"wish": "a", "room": "b"}]
    assert error_message(folder, "wish,room,wish\na,b,c\n").startswith("line 1: two columns have")


@pytest.mark.parametrize("data", ['wish\n"a view\nb\n', 'wish,room\n"a"b,c\n'])
def test_csv_with_a_stray_quote_is_refused(folder: Path, data: str) -> None:
    """Otherwise all text after the quote would be read as one cell."""
    assert error_message(folder, data)


def test_a_header_alone_has_no_rows(folder: Path) -> None:
    """Nothing to import is not an error."""
    assert rows(folder, "wish,room\n") == []


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(folder: Path, data: bytes) -> None:
    """The export that wrote it has probably failed."""
    assert error_message(folder, data) == "is empty"


@pytest.mark.parametrize(
    "text",
    ["wish\nl'été\n", "été\na view\n", '{"wish": "l\'été"}\n', '[{"wish": "l\'été"}]', "é,b\n"],
)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_refused_with_the_fix(
    folder: Path, text: str, encoding: str
) -> None:
    """Reading it in the wrong encoding would change the inputs."""
    message = error_message(folder, text.encode(encoding))
    assert ("is not UTF-8" if encoding == "latin-1" else "is UTF-16") in message
    assert "iconv" in message


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04\xff", "save it as CSV"),
        (b"\x1f\x8b\x08\xff", "gunzip"),
        (b"\x89PNG\r\n\0\0", "is not a text file"),
    ],
)
def test_a_file_that_is_not_text_is_refused_by_its_type(
    folder: Path, data: bytes, words: str
) -> None:
    """Another encoding would not make it readable."""
    assert words in error_message(folder, data)


def test_an_unclosed_quotation_mark_is_reported_where_it_opens(folder: Path) -> None:
    """The end of the file would not show where the mistake is."""
    message = error_message(folder, 'wish,room\na,b\n"c,d\n' + "e,f\n" * 50)
    assert message.startswith("line 3: a quotation mark")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    """A folder is refused as well."""
    with pytest.raises(DataFileError, match=r"none\.csv: No such file"):
        check_rows(tmp_path / "none.csv")
    with pytest.raises(DataFileError, match="Is a directory"):
        check_rows(tmp_path)


def test_json_lines_may_have_blank_lines_between_them(folder: Path) -> None:
    """A null value is a missing value."""
    data = '{"wish": "a", "room": null}\n\n  \n{"wish": "b"}'
    assert [(row.line, row.values) for row in rows(folder, data)] == [
        (1, {"wish": "a"}),
        (4, {"wish": "b"}),
    ]


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "3", "null", "true"])
def test_a_line_that_is_not_an_object_is_a_fault(folder: Path, line: str) -> None:
    """The other lines are read."""
    source_rows = rows(folder, f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    assert [(row.line, row.fault) for row in source_rows] == [
        (1, ""),
        (2, "is not a JSON object"),
        (3, ""),
    ]


@pytest.mark.parametrize("line", ['{"a": 1', '{"a": 1} x', "{'a': 1}", '{"a": NaN}', "nothing"])
def test_a_broken_line_is_refused_with_its_number(folder: Path, line: str) -> None:
    """Such a file is not a file of JSON lines."""
    assert error_message(folder, f'{{"a": 1}}\n\n{line}\n').startswith("line 3: is not JSON")


@pytest.mark.parametrize("data", ["[]", " [ ] ", "\n[\n]\n"])
def test_an_empty_array_has_no_rows(folder: Path, data: str) -> None:
    """Nothing to import is not an error."""
    assert rows(folder, data) == []


def test_items_that_are_not_objects_are_faults_with_their_lines(folder: Path) -> None:
    """Nested arrays are faults as well, because their meaning is unknown."""
    data = '[{"a":\n [1, {"b": 2}]},\n [{"a":\n 2}],\n "text", 3,\n\n null, {"a": 1}]'
    source_rows = rows(folder, data)
    assert [(row.line, row.fault) for row in source_rows if row.fault] == [
        (line, "is not a JSON object") for line in (3, 5, 5, 7)
    ]
    assert [row.values for row in source_rows if not row.fault] == [{"a": [1, {"b": 2}]}, {"a": 1}]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ('[{"a": 1}\n{"a": 2}]', "line 2: is not JSON: expected ','"),
        ('[{"a": 1},\n]', "line 2: is not JSON"),
        ('[{"a": 1},\n{"a" 2}]', "line 2: is not JSON"),
        ('[{"a": 1}', "line 1: is not JSON"),
        ("[", "line 1: is not JSON"),
        ('[{"a": 1}]\n\n{"a": 2}', "line 3: there is more text after the end of the array"),
        ("[]]", "line 1: there is more text after the end of the array"),
    ],
)
def test_a_broken_array_is_refused_with_its_line(folder: Path, data: str, message: str) -> None:
    """Earlier rows may have been read before the error; `check_rows` reads all rows first."""
    assert error_message(folder, data).startswith(message)


ITEMS = '{"né": -12.5e+3, "b": "\\u00e9\\n\\"é", "c": [true, null], "d": 120}, {"e": {"f": "}]"}}'


@pytest.mark.parametrize("before", range(len(ITEMS) + 3))
def test_an_array_reads_the_same_wherever_the_window_ends(folder: Path, before: int) -> None:
    """The window may end in a number, an escape, a literal, a name or between items."""
    blank = " " * (WINDOW - 1 - before)
    assert row_values(folder, f"[{blank}{ITEMS}]") == json.loads(f"[{ITEMS}]")


def test_a_number_split_by_the_window_is_one_item(folder: Path) -> None:
    """It is one fault, not two."""
    blank = " " * (WINDOW - len("[12"))
    source_rows = rows(folder, f'[{blank}1234, {{"a": 1}}]')
    assert [(row.values, row.fault) for row in source_rows] == [
        ({}, "is not a JSON object"),
        ({"a": 1}, ""),
    ]


def test_items_longer_than_the_window_are_read_whole(folder: Path) -> None:
    """The items after them are read as well."""
    long = [{"a": "é" * WINDOW}, {"a": "x" * (3 * WINDOW)}, {"a": "y"}]
    assert row_values(folder, json.dumps(long, ensure_ascii=False, indent=1)) == long


def test_lines_are_counted_over_many_windows(folder: Path) -> None:
    """The line of a fault at the end is right."""
    items = ['{"a": "' + "x" * 90 + '"}'] * 5000
    source_rows = rows(folder, "[\n" + ",\n".join([*items, "7"]) + "\n]\n")
    assert (source_rows[-1].line, source_rows[-1].fault) == (5002, "is not a JSON object")


@given(written=objects, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_objects_written_as_an_array_read_back_the_same(
    folder: Path, written: list[dict[str, Any]], indent: int | None, *, ascii_only: bool
) -> None:
    """Only null values are left out."""
    data = json.dumps(written, indent=indent, ensure_ascii=ascii_only)
    assert row_values(folder, data) == without_null(written)


@given(written=objects.filter(len), ascii_only=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_objects_written_as_lines_read_back_the_same(
    folder: Path, written: list[dict[str, Any]], end: str, *, ascii_only: bool
) -> None:
    """Only null values are left out."""
    lines = [json.dumps(item, ensure_ascii=ascii_only) + end for item in written]
    assert row_values(folder, "".join(lines)) == without_null(written)


def without_null(written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects without their null values."""
    return [{k: v for k, v in item.items() if v is not None} for item in written]


def test_rows_are_read_one_at_a_time(folder: Path) -> None:
    """The first rows are available before the reader meets the error."""
    path = folder / "data"
    path.write_text('[{"a": 1}, {"a": 2}, {"a"')
    reader = read_rows(path)
    assert next(reader).values == {"a": 1}
    assert next(reader).values == {"a": 2}
    with pytest.raises(DataFileError, match="is not JSON"):
        next(reader)
