"""Data files: rows out of CSV, JSON arrays and JSON lines, however large and however damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from db.errors import DataFileError
from db.files.reader import SourceRow, check_rows, read_rows

# As many characters of a JSON array are read at a time.
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
    """Give a folder that generated examples may write into one after the other."""
    return tmp_path_factory.mktemp("data")


def rows(folder: Path, data: str | bytes) -> list[SourceRow]:
    """Return the rows of a file that holds this."""
    path = folder / "data"
    path.write_bytes(data.encode() if isinstance(data, str) else data)
    return list(read_rows(path))


def contents(folder: Path, data: str | bytes) -> list[dict[str, Any]]:
    """Return the values of rows that have no fault."""
    found = rows(folder, data)
    assert [row.fault for row in found if row.fault] == []
    return [row.values for row in found]


def refusal(folder: Path, data: str | bytes) -> str:
    """Return what is said of a file that is wrong as a whole."""
    with pytest.raises(DataFileError) as caught:
        rows(folder, data)
    said = str(caught.value)
    assert said.startswith(f"{folder / 'data'}: ")
    assert "\n" not in said
    return said.removeprefix(f"{folder / 'data'}: ")


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_csv_is_read_whatever_its_delimiter_and_line_ends(
    folder: Path, delimiter: str, end: str
) -> None:
    """Spreadsheets differ by country."""
    lines = [("wish", "room"), ("a view", "big"), ("silence", "small")]
    data = end.join(map(delimiter.join, lines)) + end
    assert [(row.line, row.values) for row in rows(folder, data)] == [
        (2, {"wish": "a view", "room": "big"}),
        (3, {"wish": "silence", "room": "small"}),
    ]


@pytest.mark.parametrize("data", ["wish\na view\n", '[{"wish": "a view"}]', '{"wish": "a view"}\n'])
def test_a_byte_order_mark_belongs_to_no_name(folder: Path, data: str) -> None:
    """Spreadsheets put one first."""
    assert contents(folder, b"\xef\xbb\xbf" + data.encode()) == [{"wish": "a view"}]


def test_quoted_cells_may_hold_delimiters_quotes_and_line_ends(folder: Path) -> None:
    """The lines of later rows count them."""
    data = 'wish,room\n"a, b",big\n"two\nlines",big\n"say ""hello""\n\n",small\nlast,big\n'
    assert [(row.line, row.values["wish"]) for row in rows(folder, data)] == [
        (2, "a, b"),
        (3, "two\nlines"),
        (5, 'say "hello"\n\n'),
        (8, "last"),
    ]


def test_a_ragged_row_is_a_fault_with_its_line(folder: Path) -> None:
    """The rows beside it are read."""
    found = rows(folder, 'wish,room\n"a\nb",big\nalone\n\na,b,c\nlast,big\n')
    assert [(row.line, row.fault) for row in found] == [
        (2, ""),
        (4, "has 1 cells, the header has 2"),
        (6, "has 3 cells, the header has 2"),
        (7, ""),
    ]


def test_an_empty_cell_gives_no_value(folder: Path) -> None:
    """So that the field's default can."""
    assert contents(folder, 'wish,room,age\na view,,\n"  ",big,3\n') == [
        {"wish": "a view"},
        {"room": "big", "age": "3"},
    ]


def test_names_of_columns_are_trimmed_and_stand_once(folder: Path) -> None:
    """Of two columns with one name either could be meant."""
    assert contents(folder, " wish , room\na,b\n") == [{"wish": "a", "room": "b"}]
    assert refusal(folder, "wish,room,wish\na,b,c\n").startswith("line 1: two columns have")


@pytest.mark.parametrize("data", ['wish\n"a view\nb\n', 'wish,room\n"a"b,c\n'])
def test_csv_with_a_stray_quote_is_refused(folder: Path, data: str) -> None:
    """What follows it would be read as one cell."""
    assert refusal(folder, data)


def test_a_header_alone_has_no_rows(folder: Path) -> None:
    """Nothing to import is no mistake."""
    assert rows(folder, "wish,room\n") == []


@pytest.mark.parametrize("data", [b"", b"\n", b" \r\n\t\n", b"\xef\xbb\xbf", b"\xef\xbb\xbf\n"])
def test_an_empty_file_is_refused(folder: Path, data: bytes) -> None:
    """Somebody's export went wrong."""
    assert refusal(folder, data) == "is empty"


@pytest.mark.parametrize(
    "text",
    ["wish\nl'été\n", "été\na view\n", '{"wish": "l\'été"}\n', '[{"wish": "l\'été"}]', "é,b\n"],
)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_file_in_another_encoding_is_refused_with_the_mend(
    folder: Path, text: str, encoding: str
) -> None:
    """Read wrongly it would give other inputs."""
    said = refusal(folder, text.encode(encoding))
    assert ("is not UTF-8" if encoding == "latin-1" else "is UTF-16") in said
    assert "iconv" in said


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"PK\x03\x04\xff", "save it as CSV"),
        (b"\x1f\x8b\x08\xff", "gunzip"),
        (b"\x89PNG\r\n\0\0", "is not a text file"),
    ],
)
def test_what_is_no_text_is_called_what_it_is(folder: Path, data: bytes, words: str) -> None:
    """Another encoding would make no sense of it."""
    assert words in refusal(folder, data)


def test_a_quotation_mark_that_is_never_closed_is_found_where_it_is_opened(folder: Path) -> None:
    """And not where the file ends."""
    said = refusal(folder, 'wish,room\na,b\n"c,d\n' + "e,f\n" * 50)
    assert said.startswith("line 3: a quotation mark")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """As is a folder."""
    with pytest.raises(DataFileError, match=r"none\.csv: No such file"):
        check_rows(tmp_path / "none.csv")
    with pytest.raises(DataFileError, match="Is a directory"):
        check_rows(tmp_path)


def test_json_lines_may_have_blank_lines_between_them(folder: Path) -> None:
    """And null says nothing."""
    data = '{"wish": "a", "room": null}\n\n  \n{"wish": "b"}'
    assert [(row.line, row.values) for row in rows(folder, data)] == [
        (1, {"wish": "a"}),
        (4, {"wish": "b"}),
    ]


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "3", "null", "true"])
def test_a_line_that_is_no_object_is_a_fault(folder: Path, line: str) -> None:
    """The lines beside it are read."""
    found = rows(folder, f'{{"a": 1}}\n{line}\n{{"a": 2}}\n')
    assert [(row.line, row.fault) for row in found] == [
        (1, ""),
        (2, "is not a JSON object"),
        (3, ""),
    ]


@pytest.mark.parametrize("line", ['{"a": 1', '{"a": 1} x', "{'a': 1}", '{"a": NaN}', "nothing"])
def test_a_broken_line_is_refused_with_its_number(folder: Path, line: str) -> None:
    """The file is no JSON lines then."""
    assert refusal(folder, f'{{"a": 1}}\n\n{line}\n').startswith("line 3: is not JSON")


@pytest.mark.parametrize("data", ["[]", " [ ] ", "\n[\n]\n"])
def test_an_empty_array_has_no_rows(folder: Path, data: str) -> None:
    """Nothing to import is no mistake."""
    assert rows(folder, data) == []


def test_items_that_are_no_objects_are_faults_with_their_lines(folder: Path) -> None:
    """Nested arrays too: what they mean cannot be known."""
    data = '[{"a":\n [1, {"b": 2}]},\n [{"a":\n 2}],\n "text", 3,\n\n null, {"a": 1}]'
    found = rows(folder, data)
    assert [(row.line, row.fault) for row in found if row.fault] == [
        (line, "is not a JSON object") for line in (3, 5, 5, 7)
    ]
    assert [row.values for row in found if not row.fault] == [{"a": [1, {"b": 2}]}, {"a": 1}]


@pytest.mark.parametrize(
    ("data", "said"),
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
def test_a_broken_array_is_refused_with_its_line(folder: Path, data: str, said: str) -> None:
    """Rows before the slip may have been read by then; `check_rows` reads all first."""
    assert refusal(folder, data).startswith(said)


ITEMS = '{"né": -12.5e+3, "b": "\\u00e9\\n\\"é", "c": [true, null], "d": 120}, {"e": {"f": "}]"}}'


@pytest.mark.parametrize("before", range(len(ITEMS) + 3))
def test_an_array_reads_the_same_wherever_the_window_ends(folder: Path, before: int) -> None:
    """In a number, an escape, a literal, a name, or between items."""
    blank = " " * (WINDOW - 1 - before)
    assert contents(folder, f"[{blank}{ITEMS}]") == json.loads(f"[{ITEMS}]")


def test_a_number_that_goes_on_after_the_window_is_one_item(folder: Path) -> None:
    """A fault as it is, but not two."""
    blank = " " * (WINDOW - len("[12"))
    found = rows(folder, f'[{blank}1234, {{"a": 1}}]')
    assert [(row.values, row.fault) for row in found] == [
        ({}, "is not a JSON object"),
        ({"a": 1}, ""),
    ]


def test_items_longer_than_the_window_are_read_whole(folder: Path) -> None:
    """And so are those after them."""
    long = [{"a": "é" * WINDOW}, {"a": "x" * (3 * WINDOW)}, {"a": "y"}]
    assert contents(folder, json.dumps(long, ensure_ascii=False, indent=1)) == long


def test_lines_are_counted_over_many_windows(folder: Path) -> None:
    """The line of a fault at the end is right."""
    items = ['{"a": "' + "x" * 90 + '"}'] * 5000
    found = rows(folder, "[\n" + ",\n".join([*items, "7"]) + "\n]\n")
    assert (found[-1].line, found[-1].fault) == (5002, "is not a JSON object")


@given(written=objects, indent=st.sampled_from([None, 1]), ascii_only=st.booleans())
def test_objects_written_as_an_array_read_back_the_same(
    folder: Path, written: list[dict[str, Any]], indent: int | None, *, ascii_only: bool
) -> None:
    """But for null, which says nothing."""
    data = json.dumps(written, indent=indent, ensure_ascii=ascii_only)
    assert contents(folder, data) == without_null(written)


@given(written=objects.filter(len), ascii_only=st.booleans(), end=st.sampled_from(["\n", "\r\n"]))
def test_objects_written_as_lines_read_back_the_same(
    folder: Path, written: list[dict[str, Any]], end: str, *, ascii_only: bool
) -> None:
    """As from an array."""
    lines = [json.dumps(one, ensure_ascii=ascii_only) + end for one in written]
    assert contents(folder, "".join(lines)) == without_null(written)


def without_null(written: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the objects as they are read."""
    return [{k: v for k, v in one.items() if v is not None} for one in written]


def test_rows_come_one_at_a_time(folder: Path) -> None:
    """The first is there although the file breaks off later."""
    path = folder / "data"
    path.write_text('[{"a": 1}, {"a": 2}, {"a"')
    read = read_rows(path)
    assert next(read).values == {"a": 1}
    assert next(read).values == {"a": 2}
    with pytest.raises(DataFileError, match="is not JSON"):
        next(read)
